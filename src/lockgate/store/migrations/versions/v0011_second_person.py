"""Administrators' roles become questions; a person may have an employee number.

Roles that are held go on, as questions that were approved. Requests that nobody answered are
dropped: they would have lapsed within a day, and how many people each takes is in the settings.
Reasons are dropped too, as they are kept sealed from now on. All of it is in the journal.
"""

import json
import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    empty = sa.text("''")
    op.add_column("person", sa.Column("employee", sa.Text(), nullable=False, server_default=empty))
    op.create_index("ix_person_employee", "person", ["employee"])
    names = ("id", "role", "holder", "granted_by", "asked", "lasts", "granted", "expires", "ended")
    held = sa.table("privilege", *map(sa.column, names))
    now = time.time_ns() // 1_000_000
    good = (held.c.granted > 0) & (held.c.ended == 0) & (held.c.expires > now)
    for row in op.get_bind().execute(sa.select(held).where(good)).mappings().all():
        _keep(row)
    op.drop_table("privilege")


def downgrade() -> None:
    raise NotImplementedError("a journal is not taken back; restore a backup instead")


def _keep(row: Any) -> None:
    givers = json.loads(row["granted_by"])
    factor = "role:two" if len(givers) > 1 else "role:one"
    columns = {
        "id": row["id"], "holder": row["holder"], "digest": f"role {row['id']}",
        "state": "approved", "created": row["asked"], "kept_until": row["expires"], "version": 1,
        "title": f"admin role {row['role']}", "agent": "",
    }  # fmt: skip
    body = columns | {
        "kind": "role", "expires": row["expires"],
        "excluded": [row["holder"].partition(":")[2]], "window": row["lasts"],
        "needs": [{"factor": factor, "count": len(givers)}], "tool": {"role": row["role"]},
        "decided": row["granted"],
    }  # fmt: skip
    _insert("inquiry", columns | {"body": json.dumps(body).encode()})
    for number, giver in enumerate(givers):
        vote = {"inquiry": row["id"], "voter": giver, "answer": "yes", "digest": columns["digest"],
                "at": row["granted"], "factors": [factor]}  # fmt: skip
        _insert("vote", vote | {"number": number, "body": json.dumps(vote).encode()})


def _insert(table: str, row: dict[str, Any]) -> None:
    """Of ``row``, what the table has a column for."""
    there = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}
    kept = {name: value for name, value in row.items() if name in there}
    op.get_bind().execute(sa.insert(sa.table(table, *map(sa.column, kept))).values(**kept))
