"""Events and slots, keys, approvals, ended sessions, the feed of versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _journal()
    _grants()
    op.create_table(
        "feed",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name="pk_feed"),
    )


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")


def _journal() -> None:
    op.create_table(
        "event",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        *(
            sa.Column(name, sa.BigInteger() if name == "at" else sa.Text(), nullable=False)
            for name in (
                "id", "call", "kind", "at", "effect", "reason", "method", "upstream", "target",
            )
        ),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("uq_event_id", "event", ["id"], unique=True)
    op.create_index("ix_event_call", "event", ["call"])
    op.create_table(
        "slot",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "slot", name="pk_slot"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_slot_event_id_event"),
        sqlite_with_rowid=False,
    )


def _grants() -> None:
    op.create_table(
        "api_key",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "kind", "owner", "subject", "roles", "agent", "hash")
        ),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("created", "expires", "revoked")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
    )
    op.create_table(
        "approval",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "call", "binding", "factor", "approver")
        ),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_approval"),
    )
    op.create_index("ix_approval_call", "approval", ["call"])
    op.create_table(
        "ended_session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ended_session"),
    )
