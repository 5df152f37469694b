"""The console as one ASGI application, for the paths under ``/console``."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockgate.control_plane.console import calls, keys, upstreams
from lockgate.control_plane.console.api import API, api_routes
from lockgate.control_plane.console.approvals import ApprovalPages
from lockgate.control_plane.console.assets import FOR_GOOD
from lockgate.control_plane.console.assets import PATH as ASSETS
from lockgate.control_plane.console.assets import answer as asset
from lockgate.control_plane.console.backing import (
    Backing,
    FormRejected,
    NewId,
    SignedOut,
    Visitor,
)
from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.keys import REVOKE
from lockgate.control_plane.console.live import Live
from lockgate.control_plane.console.openapi import PATH as OPENAPI
from lockgate.control_plane.console.openapi import answer as openapi
from lockgate.control_plane.console.overview import overview
from lockgate.control_plane.console.pages import HEADERS, HOME, SESSION, drop_cookie, go, told
from lockgate.control_plane.console.problems import BadRequest, problem
from lockgate.control_plane.console.roles import RolePages
from lockgate.control_plane.console.rooms import APPROVALS, CALLS, KEYS, ROLES, UPSTREAMS
from lockgate.control_plane.console.sign_in import SignInPages
from lockgate.control_plane.console.visit import shown, taken
from lockgate.control_plane.services.refused import Refused
from lockgate.model import EventRefused, StoreDown

log = logging.getLogger("lockgate.console")

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

LOGOUT = "/console/backchannel-logout"


def console(backing: Backing) -> Application:
    return _guarded(
        Starlette(routes=routes(backing), exception_handlers=_Answers(backing).by_kind())
    )


def routes(backing: Backing) -> list[Route]:
    """Every page. What each takes is in ``services.duties``."""
    signing, roles = SignInPages(backing), RolePages(backing)
    approvals = ApprovalPages(backing, signing)
    return [
        Route("/console", _go_home),
        Route(HOME, overview(backing)),
        Route(ASSETS, asset),
        Route("/console/live", Live(backing).stream),
        shown(backing, APPROVALS, approvals.room),
        shown(backing, f"{APPROVALS}/{{id}}", approvals.one),
        shown(backing, f"{APPROVALS}/{{id}}/preview", approvals.preview),
        shown(backing, f"{APPROVALS}/{{id}}/sign-in", approvals.sign_in),
        taken(backing, f"{APPROVALS}/answer", approvals.answer),
        taken(backing, f"{APPROVALS}/withdraw", approvals.withdraw),
        shown(backing, CALLS, calls.listed),
        shown(backing, f"{CALLS}/{{call}}", calls.one),
        shown(backing, UPSTREAMS, upstreams.listed),
        shown(backing, f"{UPSTREAMS}/{{name}}", upstreams.one),
        shown(backing, KEYS, keys.listed),
        taken(backing, REVOKE, keys.revoke),
        shown(backing, ROLES, roles.room),
        taken(backing, "/console/request", roles.ask),
        taken(backing, "/console/grant", roles.grant),
        taken(backing, "/console/deny", roles.deny),
        taken(backing, "/console/revoke", roles.revoke),
        *api_routes(backing),
        Route(OPENAPI, openapi),
        Route("/console/sign-in", signing.begin),
        Route("/console/callback", signing.back),
        Route("/console/recover", signing.ask_code),
        Route("/console/recover", signing.recover, methods=["POST"]),
        Route("/console/sign-out", signing.sign_out, methods=["POST"]),
        Route(LOGOUT, signing.logged_out, methods=["POST"]),
    ]


async def _go_home(_: Request) -> Response:
    return go()


class _Answers:
    """What is raised on purpose becomes a page that says no more than its reader needs."""

    def __init__(self, backing: Backing) -> None:
        self._refused = backing.refused
        self._signing = SignInPages(backing)

    def by_kind(self) -> Any:
        return {
            Refused: self.refused, SignedOut: self.signed_out, NewId: self.changed,
            FormRejected: self.rejected, SignInFailed: self.failed, StoreDown: self.down,
            EventRefused: self.down, HTTPException: self.unknown, BadRequest: self.bad,
        }  # fmt: skip

    async def refused(self, request: Request, error: Refused) -> Response:
        return _told(request, "Refused", error.why, error.remedy, status=403)

    async def signed_out(self, request: Request, _: SignedOut) -> Response:
        """Whoever asks for a page signs in and comes back to it."""
        if _is_api(request):
            return problem(401, "Nobody is signed in.", "Sign in at /console/.")
        if request.method == "GET" and "hx-request" not in request.headers:
            url = request.url
            response = await self._signing.begin_for(f"{url.path}?{url.query}".rstrip("?"))
        else:
            response = told("Signed out", "Sign in again.", status=401)
            response.headers["hx-redirect"] = HOME
        drop_cookie(response, SESSION)
        return response

    async def changed(self, request: Request, error: NewId) -> Response:
        page = _told(request, "Your roles have changed", "Nothing was done. Do it again.",
                     status=409)  # fmt: skip
        return error.visitor.keep(page)

    async def rejected(self, request: Request, error: FormRejected) -> Response:
        self._note(request, "console.form", str(error))
        return _told(request, "Not done", "This page was too old, or the form did not come from "
                     "it.", "Go back and do it again.", status=403)  # fmt: skip

    async def failed(self, request: Request, error: SignInFailed) -> Response:
        self._note(request, "console.sign-in", str(error))
        if request.url.path == LOGOUT:
            return JSONResponse({"error": "invalid_request"}, 400)
        return told("Not signed in", "The sign-in did not succeed. Begin again; if it happens once "
                    "more, tell the operator: the log says why.", status=400)  # fmt: skip

    async def down(self, request: Request, error: StoreDown | EventRefused) -> Response:
        log.error("the console cannot work: %s", error)
        return _told(request, "Not available", "Nothing was done. Try again later.", status=503)

    async def bad(self, request: Request, error: BadRequest) -> Response:
        return _told(request, "Not understood", str(error), status=400)

    async def unknown(self, request: Request, error: HTTPException) -> Response:
        what = "thing" if _is_api(request) else "page"
        return _told(request, "Not here", f"There is no such {what}.", status=error.status_code)

    def _note(self, request: Request, reason: str, why: str) -> None:
        peer = request.client.host if request.client else ""
        log.info("%s from %s refused: %s", request.url.path, peer, why)
        self._refused(reason, peer)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(f"{API}/")


def _told(request: Request, title: str, *lines: str, status: int) -> Response:
    """In the visitor's own frame, where it is known who that is; a new id is theirs also then."""
    if _is_api(request):
        page = problem(status, *lines)
    else:
        page = told(title, *lines, status=status, frame=getattr(request.state, "frame", None))
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    return visitor.keep(page) if visitor else page


def _guarded(application: Application) -> Application:
    """Every answer, also to what is not there, carries the strict headers."""
    strict = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def guarded(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        async def strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                kept = [name for name, value in given if value == FOR_GOOD.encode()]
                message = {**message, "headers": given + [h for h in strict if h[0] not in kept]}
            await send(message)

        await application(scope, receive, strictly)

    return guarded
