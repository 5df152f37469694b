"""Approvers are told of questions: what is still to be delivered, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = ("channel", "inquiry", "kind", "state", "message", "fault")
    numbers = ("made", "due", "begun", "tries", "leased", "ended")
    op.create_table(
        "notification",
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_index("ix_notification_channel_state", "notification", ["channel", "state"])
    op.create_index("ix_notification_message", "notification", ["message"])


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")
