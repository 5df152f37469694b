"""Approvals become inquiries: asked, answered by several, used, and what came of it.

Yeses that were not used yet are dropped: they lasted a day at most, and each is in the journal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inquiry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("kept_until", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inquiry"),
    )
    op.create_index("ix_inquiry_holder_digest", "inquiry", ["holder", "digest"])
    op.create_index("ix_inquiry_state_created", "inquiry", ["state", "created"])
    op.create_table(
        "vote",
        sa.Column("inquiry", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("inquiry", "number", name="pk_vote"),
        sa.ForeignKeyConstraint(["inquiry"], ["inquiry.id"], name="fk_vote_inquiry_inquiry"),
    )
    op.create_table(
        "delegation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
    )
    _others()
    op.drop_table("approval")


def _others() -> None:
    names = ("source", "entity", "relation", "who")
    op.create_table(
        "relation",
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint(*names, name="pk_relation"),
    )
    op.drop_table("console_session")  # browsers sign in again
    op.create_table(
        "console_session",
        *(sa.Column(name, sa.Text(), nullable=False)
          for name in ("hash", "identity", "name", "sid", "roles")),
        *(sa.Column(name, sa.BigInteger(), nullable=False)
          for name in ("opened", "seen", "expires", "fresh")),
        sa.PrimaryKeyConstraint("hash", name="pk_console_session"),
    )  # fmt: skip


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")
