"""Who is known to work here, in which groups, and when each source was last read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        *(_texts("id", "source", "user_name", "folded", "external_id", "groups")),
        sa.Column("active", sa.Boolean(), nullable=False),
        *(_numbers("created", "learned", "deleted", "version")),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("ix_person_folded", "person", ["folded"])
    op.create_index("ix_person_version", "person", ["version"])
    op.create_table(
        "person_group",
        *(_texts("id", "source", "name", "external_id", "members")),
        *(_numbers("created", "learned", "deleted", "version")),
        sa.PrimaryKeyConstraint("id", name="pk_person_group"),
    )
    op.create_index("ix_person_group_version", "person_group", ["version"])
    op.create_table(
        "person_source",
        *(_texts("name")),
        *(_numbers("tried", "heard")),
        sa.PrimaryKeyConstraint("name", name="pk_person_source"),
    )


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")


def _texts(*names: str) -> list["sa.Column[str]"]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _numbers(*names: str) -> list["sa.Column[int]"]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
