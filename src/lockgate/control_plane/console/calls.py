"""The room Calls: what was called, and everything on record about one call."""

import asyncio
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.rooms import CALLS
from lockgate.control_plane.console.visit import Visit
from lockgate.control_plane.services.calls import EFFECTS, Calls
from lockgate.control_plane.services.refused import Refused
from lockgate.model.listed_call import CallsWanted
from lockgate.model.reasons import REASONS

PAGE = 40
_NAMED = ("principal", "upstream", "tool", "reason")


def calls_of(backing: Backing) -> Calls:
    return Calls(backing.calls, backing.events)


def wanted_in(asked: dict[str, str]) -> CallsWanted:
    """``asked``: parameters of a request."""
    said = {name: asked.get(name, "").strip() for name in _NAMED}
    return CallsWanted(**said, effect=asked.get("decision", ""))


def place_in(text: str) -> int:
    """Where to go on. Raises ``Refused``."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18) and text:
        raise Refused("There is no such page.", "Begin with the newest calls.")
    return int(text or "0")


async def listed(visit: Visit) -> Response:
    asked = dict(visit.request.query_params)
    wanted, before = wanted_in(asked), place_in(asked.get("before", ""))
    service = calls_of(visit.backing)
    found = await asyncio.to_thread(service.list, wanted, before, PAGE)
    kept = {name: value for name, value in asked.items() if value and name != "before"}
    older = f"{CALLS}?{urlencode({**kept, 'before': found.older})}" if found.older else ""
    return visit.page(
        "calls.html", "Calls", rows=found.items, wanted=wanted, effects=EFFECTS, older=older,
        newest=f"{CALLS}?{urlencode(kept)}" if before else "", filtered=bool(kept),
    )  # fmt: skip


async def one(visit: Visit) -> Response:
    call, contents = visit.request.path_params["call"], visit.sees_contents
    service = calls_of(visit.backing)
    story = await asyncio.to_thread(service.story, call, contents=contents)
    if story is None:
        raise HTTPException(404)
    verdicts = [(event.at, v) for event in story.events for v in event.header.get("verdicts", ())]
    facts = {n: f for event in story.events for n, f in event.header.get("facts", {}).items()}
    said = REASONS.get(story.reason)
    return visit.page(
        "call.html", "Call", story=story, verdicts=verdicts, facts=facts, contents=contents,
        says=said.says if said else "", remedy=said.remedy if said else "",
        takes=" or ".join(visit.duty.contents),
    )  # fmt: skip
