"""Approvers are told of questions: what is still to be delivered, and what became of it.

What a question is about, and who said what when, can be searched for from here on.
"""

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
    for table, column in (("inquiry", "title"), ("inquiry", "agent"),
                          ("vote", "voter"), ("vote", "answer")):  # fmt: skip
        op.add_column(
            table, sa.Column(column, sa.Text(), nullable=False, server_default=sa.text("''"))
        )
    op.add_column("vote", sa.Column("at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_inquiry_title_created", "inquiry", ["title", "created"])
    op.create_index("ix_vote_voter_at", "vote", ["voter", "at"])


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")
