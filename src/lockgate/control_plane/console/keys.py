"""The room Keys: who may come in with one, and ending it."""

import asyncio

from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.pages import go
from lockgate.control_plane.console.rooms import KEYS
from lockgate.control_plane.console.visit import Visit
from lockgate.control_plane.services.key_rows import KeyRow, KeyRows, key_row, key_rows, paged
from lockgate.control_plane.services.keys import Keys

REVOKE = f"{KEYS}/revoke"
PAGE = 50


def keys_page(backing: Backing, after: str, *, everything: bool, limit: int = PAGE) -> KeyRows:
    """Blocks; raises ``StoreDown``."""
    now = backing.sessions.now_ms()
    rows = key_rows(backing.keys.list(), backing.people, now, everything=everything)
    return paged(rows, after, limit)


def revoked(visit: Visit, key_id: str) -> KeyRow:
    """Blocks; raises ``Refused`` and ``StoreDown``."""
    service = Keys(visit.backing.keys, visit.acting, visit.backing.pepper)
    return key_row(service.revoke(key_id), visit.now)


async def listed(visit: Visit) -> Response:
    asked = visit.request.query_params
    everything, after = asked.get("state") == "all", asked.get("after", "")
    found = await asyncio.to_thread(keys_page, visit.backing, after, everything=everything)
    may = visit.may(REVOKE)
    return visit.page(
        "keys.html", "Keys", rows=found.items, after=found.after, everything=everything,
        first=not after, may=may, action=REVOKE, token=visit.token(REVOKE) if may else "",
    )  # fmt: skip


async def revoke(visit: Visit) -> Response:
    await asyncio.to_thread(revoked, visit, visit.fields.get("id", ""))
    return go(KEYS)
