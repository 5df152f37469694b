"""The first page: how things are, for those who may see it."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing, SignedOut
from lockgate.control_plane.console.calls import calls_of
from lockgate.control_plane.console.charts import stacked
from lockgate.control_plane.console.pages import HOME, page
from lockgate.control_plane.console.rooms import CALLS, UPSTREAMS
from lockgate.control_plane.console.visit import Visit, shown
from lockgate.control_plane.services.calls import STEP_MS, Overview


def overview(backing: Backing) -> Callable[[Request], Awaitable[Response]]:
    """Whoever is not signed in sees the ways in."""
    inside = shown(backing, HOME, _inside).endpoint

    async def answer(request: Request) -> Response:
        try:
            found: Response = await inside(request)
        except SignedOut:
            return page("hello.html", title="Lockgate")
        return found

    return answer


async def _inside(visit: Visit) -> Response:
    seen: Overview | None = None
    if visit.may(CALLS):
        seen = await asyncio.to_thread(calls_of(visit.backing).overview, visit.now)
    rows = visit.backing.upstreams() if visit.may(UPSTREAMS) else ()
    return visit.page(
        "overview.html", "Overview", seen=seen, upstreams=rows,
        ailing=[row for row in rows if row.state in ("failing", "withheld")],
        chart=stacked(seen.per_bucket, seen.tally.since, STEP_MS) if seen else None,
        table=_table(seen) if seen else (),
    )  # fmt: skip


def _table(seen: Overview) -> list[tuple[int, tuple[int, ...]]]:
    """The picture in words: when, and how many of each kind; without buckets that had none."""
    parts = zip(*seen.per_bucket.values(), strict=True)
    began = ((seen.tally.since + number * STEP_MS, part) for number, part in enumerate(parts))
    return [(at, part) for at, part in began if any(part)]
