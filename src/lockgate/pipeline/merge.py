"""Lists over several upstreams: outer names, one order, pages under sealed cursors."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import orjson

from lockgate.model import Cursor, Reply
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.results import DEFINITION, NAME
from lockgate.pipeline.run import SILENT, Gate, Refused, run
from lockgate.pipeline.sessions import Cursors
from lockgate.wire import edit
from lockgate.wire.edit import put
from lockgate.wire.methods import METHODS
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request

PAGE_ITEMS = 200
PAGE_BYTES = 512 * 1024
"""A page stays under the 1 MiB that several clients take in one event."""

UNAVAILABLE = "lockgate/unavailable"
"""``_meta`` key: upstreams whose entries are missing from this list, and why."""

_INVISIBLE = frozenset({"policy.denied", "policy.no-rule"})
_NO_SUCH_METHOD = -32601

_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_raw_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


NOTHING = ""
"""The digest of a list in which there is nothing to see."""

Views = dict[tuple[str, str], str]
"""Digest of what somebody may see, by list method and upstream."""


class Seen(msgspec.Struct, frozen=True):
    """What a client was shown of one list."""

    viewer: str
    method: str
    views: Mapping[str, str]
    """Digest by upstream."""


class Part(msgspec.Struct, frozen=True):
    """What one upstream contributed."""

    upstream: str
    items: tuple[bytes, ...] = ()
    refused: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"\0".join(self.items)).hexdigest()[:32] if self.items else NOTHING


async def listed(
    request: Request,
    caller: Caller,
    resolver: Resolver,
    gate: Gate,
    cursors: Cursors,
    shown: Callable[[Caller, Request, Mapping[str, str]], None] = lambda *_: None,
) -> bytes | Refused:
    """The raw list result for one page. ``shown`` is told a digest of each upstream's part.

    Raises ``WireRefusal`` ``cursor.invalid``.
    """
    start = _start(request, caller, cursors)
    parts = await asyncio.gather(
        *(
            _part(request, upstream, caller, resolver, gate, number)
            for number, upstream in enumerate(caller.endpoint.upstreams)
        ),
        return_exceptions=True,  # each finishes what it began, whatever happens to another
    )
    for failure in parts:
        if isinstance(failure, BaseException):
            raise failure
    refusals = [p for p in parts if isinstance(p, Refused)]
    if refusals:
        return refusals[0]
    whole = [p for p in parts if isinstance(p, Part)]
    seen = with_own(whole) if request.method == "tools/list" and gate.order.holds else whole
    page = _page(request, cursors, start, seen)
    shown(caller, request, {p.upstream: p.digest for p in whole if not p.refused})
    return page


def with_own(parts: Sequence[Part]) -> list[Part]:
    """The gateway's own tool first; nothing of an upstream's goes by its name."""
    theirs = [
        msgspec.structs.replace(part, items=tuple(i for i in part.items if not is_own(i)))
        for part in parts
    ]
    return [Part("", (DEFINITION,)), *theirs]


def is_own(item: bytes) -> bool:
    return NAME.encode() in item and edit.get(item, "/name") == orjson.dumps(NAME)


async def view(
    request: Request, upstream: str, caller: Caller, resolver: Resolver, gate: Gate
) -> str | None:
    """Digest of what the caller may see of one upstream's list. None: nobody can say now."""
    part = await _part(request, upstream, caller, resolver, gate, 0)
    if isinstance(part, Refused):
        return NOTHING if part.reason in _INVISIBLE else None
    return None if part.refused else part.digest


async def _part(
    request: Request, upstream: str, caller: Caller, resolver: Resolver, gate: Gate, number: int
) -> Part | Refused:
    call = resolver.list_call(request, upstream, caller, number)
    answer = await run(call, gate, SILENT)
    if isinstance(answer, Refused):
        return _missing(upstream, answer, prefixed=caller.endpoint.prefixed)
    reply = answer.said
    if not isinstance(reply, Reply) or reply.is_error:
        return _erred(upstream, reply.decoded.get("code"), call.id, caller.endpoint)
    raw = resolver.outer_list(call, reply.raw) if caller.endpoint.prefixed else reply.raw
    items = _raw_items(_raw_members(raw)[METHODS[request.method].array])
    return Part(upstream, tuple(bytes(item) for item in items))


def _missing(upstream: str, answer: Refused, *, prefixed: bool) -> Part | Refused:
    # A limit is the whole request's: a list without some of its tools would hide that.
    if not prefixed or answer.reason.startswith("quota."):
        return answer
    return Part(upstream, refused="" if answer.reason in _INVISIBLE else answer.reason)


def _erred(upstream: str, code: object, call: str, endpoint: Endpoint) -> Part | Refused:
    """An upstream without prompts or resources says so; it then simply has none."""
    if code == _NO_SUCH_METHOD:
        return Part(upstream)
    if endpoint.prefixed:
        return Part(upstream, refused="upstream.error")
    return Refused("upstream.error", call)


def _start(request: Request, caller: Caller, cursors: Cursors) -> Cursor:
    method, path = request.method, caller.endpoint.path
    if request.cursor is None:
        return Cursor(caller.principal.holder, path, method, 0, "")
    return cursors.open(request.cursor, caller.principal, path, method)


def _page(request: Request, cursors: Cursors, start: Cursor, parts: Sequence[Part]) -> bytes:
    items = [item for part in parts for item in part.items]
    snapshot = hashlib.sha256(b"\0".join(items)).hexdigest()[:32]
    if start.snapshot and start.snapshot != snapshot:
        raise WireRefusal("cursor.invalid", detail="the list has changed")
    end = _page_end(items, start.after)
    page = b"[" + b",".join(items[start.after : end]) + b"]"
    result = put(b"{}", f"/{METHODS[request.method].array}", page)
    if end < len(items):
        after = msgspec.structs.replace(start, after=end, snapshot=snapshot)
        result = put(result, "/nextCursor", orjson.dumps(cursors.seal(after)))
    missing = {part.upstream: part.refused for part in parts if part.refused}
    if missing:
        result = put(result, "/_meta", orjson.dumps({UNAVAILABLE: missing}))
    return result


def _page_end(items: Sequence[bytes], start: int) -> int:
    """At least one item, at most a page's worth."""
    size, end = 0, start
    while end < len(items) and end - start < PAGE_ITEMS:
        size += len(items[end])
        if size > PAGE_BYTES and end > start:
            break
        end += 1
    return end
