"""Access tokens: which are revoked, which proofs were used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocation",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "issuer", "value", name="pk_revocation"),
    )
    op.create_table(
        "used_proof",
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_used_proof"),
    )
    op.create_index("ix_used_proof_expires", "used_proof", ["expires"])


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")
