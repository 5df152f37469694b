"""The API under the console: what pages show, for programs; the same services, the same duties.

A program signs in as people do, by their browser's session. What changes something takes a token in
a header, as forms have one in a field, and is sent as JSON: no page of others can send it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lockgate.control_plane.console.api_types import (
    Approval,
    ApprovalAnswer,
    ApprovalList,
    ApprovalRow,
    ApprovalsQuery,
    ApprovalVote,
    CallList,
    CallsQuery,
    KeyList,
    KeysQuery,
    Nothing,
    Role,
    Roles,
    Session,
    Upstreams,
)
from lockgate.control_plane.console.approvals import (
    Facts,
    answered,
    facts_of,
    questions_of,
)
from lockgate.control_plane.console.backing import Backing, FormRejected, NewId, visitor_of
from lockgate.control_plane.console.calls import calls_of
from lockgate.control_plane.console.keys import keys_page, revoked
from lockgate.control_plane.console.problems import BadRequest
from lockgate.control_plane.console.roles import RolePages
from lockgate.control_plane.console.visit import Visit, check
from lockgate.control_plane.services.approvals import Shown
from lockgate.control_plane.services.calls import CallStory
from lockgate.control_plane.services.duties import PAGES
from lockgate.control_plane.services.key_rows import KeyRow
from lockgate.control_plane.services.upstream_rows import UpstreamRow, listed
from lockgate.model.listed_call import CallsWanted
from lockgate.model.privilege import Privilege

API = "/console/api/v1"
TOKEN = "X-Lockgate-Token"  # noqa: S105 - the header's name
_SEQ_DIGITS = 18

T = TypeVar("T")


class Operation(msgspec.Struct, frozen=True):
    method: Literal["GET", "POST"]
    path: str
    """Below ``API``."""
    summary: str
    answer: type[Any]
    work: Callable[[Visit, Any], Awaitable[Any]]
    query: type[Any] = Nothing
    body: type[Any] = Nothing

    @property
    def place(self) -> str:
        return API + self.path


async def session(visit: Visit, _: Nothing) -> Session:
    known = visit.visitor.session
    roles = tuple(sorted(visit.visitor.roles))
    return Session(known.identity, known.name, roles, known.expires, visit.token(API))


async def upstreams(visit: Visit, _: Nothing) -> Upstreams:
    return Upstreams(tuple(map(listed, visit.backing.upstreams())))


async def upstream(visit: Visit, _: Nothing) -> UpstreamRow:
    name = visit.request.path_params["name"]
    found = next((row for row in visit.backing.upstreams() if row.name == name), None)
    return _there(found)


async def calls(visit: Visit, asked: CallsQuery) -> CallList:
    if asked.cursor and not (asked.cursor.isascii() and asked.cursor.isdigit()):
        raise BadRequest("The cursor is none of ours.")
    wanted = CallsWanted(asked.principal, asked.upstream, asked.tool, asked.decision, asked.reason)
    before = int(asked.cursor[:_SEQ_DIGITS] or "0")
    service = calls_of(visit.backing)
    found = await asyncio.to_thread(service.list, wanted, before, asked.limit)
    return CallList(found.items, str(found.older) if found.older else None)


async def call(visit: Visit, _: Nothing) -> CallStory:
    wanted, contents = visit.request.path_params["call"], visit.sees_contents
    service = calls_of(visit.backing)
    found = await asyncio.to_thread(service.story, wanted, contents=contents)
    return _there(found)


async def keys(visit: Visit, asked: KeysQuery) -> KeyList:
    everything = asked.state == "all"
    found = await asyncio.to_thread(
        keys_page, visit.backing, asked.cursor, everything=everything, limit=asked.limit
    )
    return KeyList(found.items, found.after or None)


async def revoke_key(visit: Visit, _: Nothing) -> KeyRow:
    return await asyncio.to_thread(revoked, visit, visit.request.path_params["id"])


async def roles(visit: Visit, _: Nothing) -> Roles:
    seen = await asyncio.to_thread(RolePages(visit.backing).seen, visit.visitor)
    parts = (tuple(map(_role, part)) for part in (seen.held, seen.asked, seen.waiting))
    return Roles(*parts)


async def approvals(visit: Visit, asked: ApprovalsQuery) -> ApprovalList:
    found = await asyncio.to_thread(questions_of, visit, asked.state, asked.limit)
    return ApprovalList(tuple(map(_question, found)))


async def approval(visit: Visit, _: Nothing) -> Approval:
    return _approval(await asyncio.to_thread(facts_of, visit, visit.request.path_params["id"]))


async def answer_approval(visit: Visit, said: ApprovalAnswer) -> Approval:
    id = visit.request.path_params["id"]
    await asyncio.to_thread(answered, visit, id, said.digest, said.answer, said.note)
    return _approval(await asyncio.to_thread(facts_of, visit, id))


OPERATIONS = (
    Operation("GET", "/session", "Who is signed in", Session, session),
    Operation("GET", "/upstreams", "The servers behind the gateway", Upstreams, upstreams),
    Operation("GET", "/upstreams/{name}", "One of them, with its tools", UpstreamRow, upstream),
    Operation(
        "GET", "/approvals", "What waits for people", ApprovalList, approvals, ApprovalsQuery
    ),
    Operation("GET", "/approvals/{id}", "One question, with what would run", Approval, approval),
    Operation(
        "POST",
        "/approvals/{id}/answer",
        "Say yes or no",
        Approval,
        answer_approval,
        body=ApprovalAnswer,
    ),
    Operation("GET", "/calls", "Recent calls", CallList, calls, CallsQuery),
    Operation("GET", "/calls/{call}", "All on record about one call", CallStory, call),
    Operation("GET", "/keys", "API keys", KeyList, keys, KeysQuery),
    Operation("POST", "/keys/{id}/revoke", "End a key, for good", KeyRow, revoke_key),
    Operation("GET", "/roles", "Roles of administrators", Roles, roles),
)
"""The one table: routes and the OpenAPI document are made from it."""


def api_routes(backing: Backing) -> list[Route]:
    return [_route(backing, one) for one in OPERATIONS]


def _route(backing: Backing, operation: Operation) -> Route:
    duty = PAGES[operation.place]

    async def enter(request: Request) -> Response:
        visitor = await visitor_of(request, backing)
        request.state.visitor = visitor
        if operation.method == "POST":
            if visitor.cookie:
                raise NewId(visitor)
            _check_sent(request, backing, visitor.session.hash)
        check(visitor, duty)
        asked = _query(request, operation.query)
        if operation.method == "POST":
            asked = _body(await request.body(), operation.body)
        answer = await operation.work(Visit(request, backing, visitor, duty), asked)
        return visitor.keep(Response(msgspec.json.encode(answer), media_type="application/json"))

    return Route(operation.place, enter, methods=[operation.method])


def _check_sent(request: Request, backing: Backing, owner: str) -> None:
    """Raises ``FormRejected`` and ``BadRequest``."""
    if not backing.sessions.fits(owner, API, request.headers.get(TOKEN, "")):
        raise FormRejected(f"{TOKEN} is missing, or of another session")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadRequest("The request's content-type is application/json.")


def _body(raw: bytes, kind: type[T]) -> T:
    """Raises ``BadRequest``."""
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request's body is not what is asked for: {error}") from error


def _query(request: Request, kind: type[Any]) -> Any:
    """Raises ``BadRequest``."""
    given = request.query_params.multi_items()
    if len(dict(given)) != len(given):
        raise BadRequest("A parameter is there twice.")
    try:
        return msgspec.convert(dict(given), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{error}.") from error


def _there(found: T | None) -> T:
    if found is None:
        raise HTTPException(404)
    return found


def _question(seen: Shown) -> ApprovalRow:
    one = seen.asked.inquiry
    missing = {need.factor: need.count for need in seen.missing}
    return ApprovalRow(
        one.id, one.kind, one.title, one.holder, one.agent, one.state, one.reason, one.created,
        one.expires, one.digest, one.call, missing, tuple(sorted(seen.voice.factors)),
    )  # fmt: skip


def _approval(found: Facts) -> Approval:
    votes = (ApprovalVote(v.voter, v.answer, v.at, v.factors, v.by_delegation, v.note)
             for v in found.seen.asked.votes)  # fmt: skip
    facts = {} if found.withheld else dict(found.seen.facts)
    return Approval(_question(found.seen), tuple(votes), found.raw or None, facts)


def _role(one: Privilege) -> Role:
    return Role(one.id, one.role, one.holder, one.reason, one.asked, one.expires, one.granted_by)
