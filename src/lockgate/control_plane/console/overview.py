"""The first page: how things are, for those who may see it."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from lockgate.control_plane.console.backing import Backing, SignedOut
from lockgate.control_plane.console.pages import HOME, page
from lockgate.control_plane.console.visit import Visit, shown


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
    return visit.page("overview.html", "Overview")
