"""The room Upstreams: the servers behind the gateway, and the tools of each."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lockgate.control_plane.console.visit import Visit
from lockgate.model.reasons import REASONS

MOST_TOOLS = 150
"""On one page."""


async def listed(visit: Visit) -> Response:
    return visit.page("upstreams.html", "Upstreams", rows=visit.backing.upstreams())


async def one(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    found = next((row for row in visit.backing.upstreams() if row.name == name), None)
    if found is None:
        raise HTTPException(404)
    said = REASONS.get(found.reason)
    return visit.page(
        "upstream.html", found.name, row=found, tools=found.tools[:MOST_TOOLS],
        more=len(found.tools) - MOST_TOOLS, says=said.says if said else "",
    )  # fmt: skip
