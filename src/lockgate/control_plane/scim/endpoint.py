"""The SCIM protocol (RFC 7644, 3) over the people service, as an ASGI application.

Whoever mounts it has authenticated the identity provider and bounded the request.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any

from pydantic import ValidationError
from scim2_models import (
    ConflictException,
    Context,
    Error,
    ListResponse,
    NotFoundException,
    PatchOp,
    ResponseParameters,
    SCIMException,
    SearchRequest,
    UniquenessException,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from lockgate.control_plane.scim import discovery
from lockgate.control_plane.scim.call import PREFIX, Call, NoSuchMethod, failed, whole
from lockgate.control_plane.scim.kinds import Groups, Kind, Users
from lockgate.control_plane.scim.resources import MOST, POLICY
from lockgate.control_plane.services.people import NameTaken, Overtaken, People, Row
from lockgate.model import Json, StoreDown

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_AGAIN = 5
"""How often a change is made anew on what another one has left."""


class ScimEndpoint:
    """``written``: called after each change, before it is answered. Blocks."""

    def __init__(self, people: People, written: Callable[[], None]) -> None:
        self._people = people
        self._written = written
        self._router = Router(
            [
                self._route("/Users", lambda c: self._all(Users(people, c.base), c)),
                self._route("/Users/.search", lambda c: _searched([Users(people, c.base)], c)),
                self._route("/Users/{id}", lambda c: self._one(Users(people, c.base), c)),
                self._route("/Groups", lambda c: self._all(Groups(people, c.base), c)),
                self._route("/Groups/.search", lambda c: _searched([Groups(people, c.base)], c)),
                self._route("/Groups/{id}", lambda c: self._one(Groups(people, c.base), c)),
                self._route("/.search", lambda c: _searched(_both(people, c.base), c)),
                *(self._route(path, answer) for path, answer in discovery.ANSWERS.items()),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._router(scope, receive, send)

    def _route(self, path: str, answer: Callable[[Call], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            call = Call(request, await request.body())
            return await run_in_threadpool(_answered, answer, call)

        return Route(PREFIX + path, endpoint, methods=_METHODS)

    def _all(self, kind: Kind, call: Call) -> Response:
        match call.method:
            case "GET":
                asked = call.asked("filter", "sortBy", "sortOrder", "startIndex", "count",
                                   "attributes", "excludedAttributes")  # fmt: skip
                return _search([kind], asked)
            case "POST":
                return self._create(kind, call)
        raise NoSuchMethod

    def _one(self, kind: Kind, call: Call) -> Response:
        before = kind.find(call.id)
        if before is None:
            raise NotFoundException(detail="There is nothing of this id")
        match call.method:
            case "GET":
                return whole(
                    kind.show(before), Context.RESOURCE_QUERY_RESPONSE, _chosen(kind, call)
                )
            case "PUT":
                return self._change(kind, call, _replaced, Context.RESOURCE_REPLACEMENT_RESPONSE)
            case "PATCH":
                return self._change(kind, call, _patched, Context.RESOURCE_PATCH_RESPONSE)
            case "DELETE":
                self._retried(kind, call, self._people.delete)
                return Response(status_code=204)
        raise NoSuchMethod

    def _create(self, kind: Kind, call: Call) -> Response:
        wanted = kind.model.model_validate(
            kind.complete(call.json(), None),
            scim_ctx=Context.RESOURCE_CREATION_REQUEST,
            scim_policy=POLICY,
        )
        made = kind.draft(wanted, None)
        self._write(made)
        shown = kind.show(self._now(kind, made.id))
        answer = whole(shown, Context.RESOURCE_CREATION_RESPONSE, _chosen(kind, call), 201)
        answer.headers["location"] = str(shown.meta.location) if shown.meta else ""
        return answer

    def _change(
        self, kind: Kind, call: Call, change: Callable[[Kind, Row, Json], Row], ctx: Context
    ) -> Response:
        said = call.json()

        def once(before: Row) -> None:
            after = change(kind, before, said)
            if after != before:
                self._people.write([after])

        self._retried(kind, call, once)
        return whole(kind.show(self._now(kind, call.id)), ctx, _chosen(kind, call))

    def _retried(self, kind: Kind, call: Call, once: Callable[[Row], None]) -> None:
        for _ in range(_AGAIN):
            try:
                once(self._now(kind, call.id))
            except Overtaken:
                continue
            self._written()
            return
        raise ConflictException(detail="Others keep changing this")

    def _write(self, row: Row) -> None:
        self._people.write([row])
        self._written()

    def _now(self, kind: Kind, id: str) -> Row:
        found = kind.find(id)
        if found is None:
            raise NotFoundException(detail="It was deleted meanwhile")
        return found


def _answered(answer: Callable[[Call], Response], call: Call) -> Response:
    try:
        return answer(call)
    except SCIMException as refused:
        return failed(refused.to_error())
    except ValidationError as invalid:
        return failed(Error.from_validation_errors(invalid)[0])
    except NameTaken:
        return failed(UniquenessException(detail="The userName is another user's").to_error())
    except StoreDown:
        return failed(Error(status=503, detail="The directory cannot be read or written now"))


def _both(people: People, base: str) -> list[Kind]:
    return [Users(people, base), Groups(people, base)]


def _searched(kinds: Sequence[Kind], call: Call) -> Response:
    """A search that is too long for a URL, or over everything (RFC 7644, 3.4.3)."""
    if call.method != "POST":
        raise NoSuchMethod
    return _search(kinds, call.json(), Context.SEARCH_REQUEST)


def _search(kinds: Sequence[Kind], said: Json, ctx: Context = Context.DEFAULT) -> Response:
    model: Any = reduce(or_, (kind.model for kind in kinds))
    asked: SearchRequest[Any] = SearchRequest[model].model_validate(said, scim_ctx=ctx)
    found = [kind.show(row) for kind in kinds for row in kind.candidates(asked.filter)]
    if asked.filter is not None:
        found = [one for one in found if asked.filter.match(one)]
    first = asked.start_index_0 or 0
    count = MOST if asked.count is None else min(asked.count, MOST)
    page = asked.sort(found)[first : first + count]
    listed: ListResponse[Any] = ListResponse[model](
        total_results=len(found), start_index=first + 1, items_per_page=len(page), resources=page
    )
    return whole(listed, Context.RESOURCE_QUERY_RESPONSE, asked)


def _replaced(kind: Kind, before: Row, said: Json) -> Row:
    wanted = kind.model.model_validate(
        kind.complete(said, before),
        scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST,
        scim_policy=POLICY,
    )
    wanted.replace(kind.show(before))
    return kind.draft(wanted, before)


def _patched(kind: Kind, before: Row, said: Json) -> Row:
    wanted = kind.show(before)
    steps = PatchOp[kind.model].model_validate(  # type: ignore[name-defined]
        said, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
    )
    steps.patch(wanted, scim_policy=POLICY)
    return kind.draft(wanted, before)


def _chosen(kind: Kind, call: Call) -> ResponseParameters[Any]:
    """Which attributes are to be answered (RFC 7644, 3.9)."""
    asked = call.asked("attributes", "excludedAttributes")
    chosen: ResponseParameters[Any] = ResponseParameters[kind.model].model_validate(asked)  # type: ignore[name-defined]
    return chosen
