"""Administrators' roles, recovery codes, browser sessions of the console."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make("privilege", "id", ("role", "holder", "reason", "granted_by", "ended_by"),
          ("asked", "lasts", "expires", "granted", "ended", "version"))  # fmt: skip
    _make("recovery_code", "hash", ("made_by",), ("expires", "used"))
    _make("console_session", "hash", ("identity", "name", "sid", "roles"),
          ("opened", "seen", "expires"))  # fmt: skip
    _make("used_once", "id", (), ("expires",))
    op.create_table(
        "recovery_try",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")


def _make(table: str, key: str, texts: tuple[str, ...], numbers: tuple[str, ...]) -> None:
    op.create_table(
        table,
        *(sa.Column(name, sa.Text(), nullable=False) for name in (key, *texts)),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.PrimaryKeyConstraint(key, name=f"pk_{table}"),
    )
