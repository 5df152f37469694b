"""Step 4: which upstream, which tool. Builds the ``Call``."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import orjson

from lockgate.model import SYSTEM, Call, Envelope, Terms, Tool, Upstream
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.run import SILENT, Gate, Refused, run
from lockgate.pipeline.sessions import TaskRef
from lockgate.wire.capabilities import NOTHING, asks_of
from lockgate.wire.edit import drop, get, members
from lockgate.wire.names import NameTable, unwrap_uri
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from lockgate.wire.rewrite import rewrite_params, rewrite_result

UNLISTED_MS = 5_000
"""How long an upstream that could not be listed is not asked again for the same principal."""
_MOST_UNLISTED = 1_000

_NAMED = frozenset({"tool", "prompt"})
_UNKNOWN = {
    "tools/call": "resolve.unknown-tool",
    "prompts/get": "resolve.unknown-prompt",
    "resources/read": "resolve.unknown-resource",
    "resources/subscribe": "resolve.unknown-resource",
    "completion/complete": "wire.bad-params",
}


class ToolBook(Protocol):
    """The tools of an upstream as last listed on these terms."""

    def tools(self, upstream: str, terms: Terms) -> Sequence[Tool] | None: ...

    def get(self, upstream: str, terms: Terms, name: str) -> Tool | None: ...

    def outdate(self, upstream: str, terms: Terms) -> None:
        """They are others now: none is known until they are listed again."""
        ...


class Resolver:
    def __init__(self, upstreams: Mapping[str, Upstream], book: ToolBook) -> None:
        self.upstreams = dict(upstreams)
        self._book = book
        self._listing: dict[tuple[str, Terms], asyncio.Future[None]] = {}
        self._unlisted: dict[tuple[str, Terms], tuple[int, str]] = {}

    def outdate(self, upstream: str, terms: Terms) -> None:
        """The upstream says, over the link held on these terms, that its tools changed."""
        self._book.outdate(upstream, terms)

    async def call_of(self, request: Request, caller: Caller, gate: Gate) -> Call:
        """The call that a tool, prompt, resource or completion request makes.

        Raises ``WireRefusal`` with a ``resolve.`` reason where nothing goes by that name.
        """
        upstream, inner = self._place(request, caller.endpoint)
        params, tool = _untraced(request.params), None
        envelope = envelope_of(request, caller)
        if request.method == "tools/call":
            tool = await self._tool(upstream, inner, caller, envelope, gate)
            inner = tool.name
        if inner != request.name:
            params = rewrite_params(request.method, params, inner)
        return Call(
            caller.call,
            caller.principal,
            request.method,
            self.upstreams[upstream],
            inner,
            params,
            tool,
            envelope,
        )

    async def task_call(self, request: Request, caller: Caller, ref: TaskRef, gate: Gate) -> Call:
        """The call that a request about the task ``ref`` makes: to the upstream that runs it, about
        the tool it came from.

        Raises ``WireRefusal``: ``task.unknown`` where the upstream is another one now, or a
        ``resolve.`` reason where the tool is gone.
        """
        upstream = self.upstreams.get(ref.upstream)
        if upstream is None or ref.upstream not in caller.endpoint.upstreams:
            raise WireRefusal("task.unknown")
        if upstream.fingerprint != ref.place:
            raise WireRefusal("task.unknown")
        envelope = envelope_of(request, caller)
        plain = msgspec.structs.replace(caller.endpoint, prefixed=False)
        named = msgspec.structs.replace(caller, endpoint=plain)  # by the tool's own name
        tool = await self._tool(ref.upstream, ref.tool, named, envelope, gate)
        params = rewrite_params(request.method, _untraced(request.params), ref.id)
        return Call(
            caller.call, caller.principal, request.method, upstream, ref.id, params, tool, envelope
        )

    async def again(self, call: Call, caller: Caller, gate: Gate) -> Call:
        """``call``, which waited for somebody, as ``caller`` would make it now: to the upstream as
        it is registered now, with the tool's definition as the upstream gives it now. Nothing may
        be asked of its client, who is not there.

        Raises ``WireRefusal`` with a ``resolve.`` reason where there is no such thing any more.
        """
        upstream = self.upstreams.get(call.upstream.name)
        if upstream is None:
            raise WireRefusal("resolve.unknown-tool")
        envelope = msgspec.structs.replace(
            call.envelope, capabilities=NOTHING, asks=NOTHING, progress=False, session=""
        )
        tool = None
        if call.tool is not None:
            for terms in (Terms(""), envelope.terms(caller.principal.holder)):
                self._book.outdate(upstream.name, terms)
            tool = await self._tool(upstream.name, call.tool.name, caller, envelope, gate)
        return Call(
            caller.call, caller.principal, call.method, upstream, call.target, call.params, tool,
            envelope, part_of=call.part_of or call.id,
        )  # fmt: skip

    def list_call(self, request: Request, upstream: str, caller: Caller, number: int) -> Call:
        """The list call to one of the endpoint's upstreams. Cursors are the gateway's own."""
        call = caller.call if number == 0 else f"{caller.call}.{number}"
        return Call(
            call,
            caller.principal,
            request.method,
            self.upstreams[upstream],
            "",
            envelope=envelope_of(request, caller),
            part_of=caller.call if number else "",
        )

    def _place(self, request: Request, endpoint: Endpoint) -> tuple[str, str]:
        if not endpoint.prefixed:
            return endpoint.upstreams[0], request.name
        found = _split(request.name) if request.names in _NAMED else unwrap_uri(request.name)
        if found is None or found[0] not in endpoint.upstreams:
            raise WireRefusal(_UNKNOWN[request.method])
        return found

    async def _tool(
        self, upstream: str, name: str, caller: Caller, envelope: Envelope, gate: Gate
    ) -> Tool:
        terms = envelope.terms(caller.principal.holder)
        found = self._known(upstream, terms, name, caller.endpoint)
        if found is None and self._book.tools(upstream, terms) is None:
            await self._list(upstream, caller, envelope, gate)
            found = self._known(upstream, terms, name, caller.endpoint)
        if found is None:
            raise WireRefusal("resolve.unknown-tool")
        return found

    def _known(self, upstream: str, terms: Terms, name: str, endpoint: Endpoint) -> Tool | None:
        exact = self._book.get(upstream, terms, name)
        if exact or not endpoint.prefixed:
            return exact
        # A shortened name holds a hash, so it is found by naming every tool again.
        pair = self._table(upstream, terms, ()).inner(_plain(upstream, name))
        return self._book.get(upstream, terms, pair[1]) if pair else None

    def outer_list(self, call: Call, raw: bytes) -> bytes:
        """A list with names as clients of ``/mcp`` know them: no two tools share one."""
        if call.method != "tools/list":
            return outer_result(call, raw)
        upstream = call.upstream.name
        listed = [tool.get("name") for tool in orjson.loads(raw)["tools"]]
        names = [name for name in listed if isinstance(name, str)]
        table = self._table(upstream, call.terms, names)
        return rewrite_result(call.method, raw, upstream, lambda name: table.outer(upstream, name))

    def _table(self, upstream: str, terms: Terms, also: Sequence[str]) -> NameTable:
        known = [tool.name for tool in self._book.tools(upstream, terms) or ()]
        return NameTable((upstream, name) for name in {*known, *also})

    async def _list(self, upstream: str, caller: Caller, envelope: Envelope, gate: Gate) -> None:
        """List the tools ourselves, once for all who wait for it, and not again at once where that
        failed: a client could otherwise have us ask an upstream as often as it likes."""
        key = (upstream, envelope.terms(caller.principal.holder))
        until, why = self._unlisted.get(key, (0, ""))
        if gate.stamp().at < until:
            raise WireRefusal("resolve.no-catalogue", detail=why)
        running = self._listing.get(key)
        if running is None:
            running = asyncio.ensure_future(self._list_now(key, caller.call, envelope, gate))
            self._listing[key] = running
            running.add_done_callback(lambda done: self._listed(key, done))
        await asyncio.shield(running)

    def _listed(self, key: tuple[str, Terms], done: "asyncio.Future[None]") -> None:
        del self._listing[key]
        if not done.cancelled():
            done.exception()  # whoever waits is told; if all of them left, nobody need be

    async def _list_now(
        self, key: tuple[str, Terms], call_id: str, said: Envelope, gate: Gate
    ) -> None:
        """As the ``system`` principal, over the caller's own connection."""
        upstream, terms = key
        system = msgspec.structs.replace(SYSTEM, on_behalf=terms.holder)
        ours = Envelope(era=said.era, session=said.session, asks=said.asks)
        call = Call(
            f"{call_id}.s", system, "tools/list", self.upstreams[upstream], "", envelope=ours
        )
        answer = await run(call, gate, SILENT)
        if isinstance(answer, Refused) and answer.reason == "upstream.connect":
            # Only the person can help, and then it works at once.
            raise WireRefusal(answer.reason, detail=answer.where)
        if isinstance(answer, Refused):
            while len(self._unlisted) >= _MOST_UNLISTED:
                del self._unlisted[next(iter(self._unlisted))]
            self._unlisted[key] = (gate.stamp().at + UNLISTED_MS, answer.reason)
            raise WireRefusal("resolve.no-catalogue", detail=answer.reason)


def outer_result(call: Call, raw: bytes) -> bytes:
    """A result with names and URIs as clients of ``/mcp`` know them."""
    upstream = call.upstream.name
    return rewrite_result(call.method, raw, upstream, lambda name: _plain(upstream, name))


def _untraced(params: bytes) -> bytes:
    """Without W3C trace ids: new with every attempt, they would make each another call, which no
    approval covers. A ``_meta`` that says nothing goes too: modern calls never come with one."""
    if b"_meta" not in params:
        return params
    left = drop(drop(params, "/_meta/traceparent"), "/_meta/tracestate")
    return left if members(get(left, "/_meta") or b"") else drop(left, "/_meta")


def _plain(upstream: str, name: str) -> str:
    return f"{upstream}__{name}"


def _split(outer: str) -> tuple[str, str] | None:
    # Upstream names have no underscore, so the first two end the upstream's name.
    upstream, found, name = outer.partition("__")
    return (upstream, name) if found else None


def envelope_of(request: Request, caller: Caller) -> Envelope:
    return Envelope(
        era=request.era,
        version=request.version,
        client=request.client,
        capabilities=request.capabilities,
        endpoint=caller.endpoint.path,
        peer=caller.peer,
        progress=request.progress_token is not None,
        log_level=request.log_level or caller.log_level,
        session=caller.session,
        asks=asks_of(request.capabilities),
    )
