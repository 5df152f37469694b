"""What a key is good for, where it may be used from, what followed it, when it was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("scopes", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("networks", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("successor", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("api_key", column)


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")
