"""Step 4: which upstream, which tool. Builds the ``Call``."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.model import SYSTEM, Call, Envelope, Tool, Upstream
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.run import Gate, Refused, run
from lockgate.wire.names import join, unwrap_uri
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from lockgate.wire.rewrite import rewrite_params, rewrite_result

_NAMED = frozenset({"tool", "prompt"})
_UNKNOWN = {
    "tools/call": "resolve.unknown-tool",
    "prompts/get": "resolve.unknown-prompt",
    "resources/read": "resolve.unknown-resource",
    "completion/complete": "wire.bad-params",
}


class ToolBook(Protocol):
    """The tools of an upstream as last listed for a holder."""

    def tools(self, upstream: str, holder: str) -> Sequence[Tool] | None: ...

    def get(self, upstream: str, holder: str, name: str) -> Tool | None: ...


class Resolver:
    def __init__(self, upstreams: Mapping[str, Upstream], book: ToolBook) -> None:
        self.upstreams = dict(upstreams)
        self._book = book

    async def call_of(self, request: Request, caller: Caller, gate: Gate) -> Call:
        """The call that a tool, prompt, resource or completion request makes.

        Raises ``WireRefusal`` with a ``resolve.`` reason where nothing goes by that name.
        """
        upstream, inner = self._place(request, caller.endpoint)
        params, tool = request.params, None
        if request.method == "tools/call":
            tool = await self._tool(upstream, inner, caller, gate)
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
            envelope_of(request, caller),
        )

    def list_call(self, request: Request, upstream: str, caller: Caller, number: int) -> Call:
        """The list call to one of the endpoint's upstreams. Cursors are the gateway's own."""
        call = caller.call if number == 0 else f"{caller.call}.{number}"
        envelope = envelope_of(request, caller)
        place = self.upstreams[upstream]
        return Call(call, caller.principal, request.method, place, "", b"{}", None, envelope)

    def _place(self, request: Request, endpoint: Endpoint) -> tuple[str, str]:
        if not endpoint.prefixed:
            return endpoint.upstreams[0], request.name
        found = _split(request.name) if request.names in _NAMED else unwrap_uri(request.name)
        if found is None or found[0] not in endpoint.upstreams:
            raise WireRefusal(_UNKNOWN[request.method])
        return found

    async def _tool(self, upstream: str, name: str, caller: Caller, gate: Gate) -> Tool:
        holder = caller.principal.holder
        found = self._known(upstream, holder, name, caller.endpoint)
        if found is None and self._book.tools(upstream, holder) is None:
            await self._list(upstream, caller, gate)
            found = self._known(upstream, holder, name, caller.endpoint)
        if found is None:
            raise WireRefusal("resolve.unknown-tool")
        return found

    def _known(self, upstream: str, holder: str, name: str, endpoint: Endpoint) -> Tool | None:
        exact = self._book.get(upstream, holder, name)
        if exact or not endpoint.prefixed:
            return exact
        # A shortened name holds a hash, so it is found by naming every tool again.
        outer = _plain(upstream, name)
        known = self._book.tools(upstream, holder) or ()
        return next((t for t in known if join(upstream, t.name) == outer), None)

    async def _list(self, upstream: str, caller: Caller, gate: Gate) -> None:
        """List the tools ourselves, as the ``system`` principal over the caller's connection."""
        system = msgspec.structs.replace(SYSTEM, on_behalf=caller.principal.holder)
        call = Call(f"{caller.call}.s", system, "tools/list", self.upstreams[upstream], "")
        answer = await run(call, gate, lambda _: None)
        if isinstance(answer, Refused):
            raise WireRefusal("resolve.no-catalogue", detail=answer.reason)


def outer_result(call: Call, raw: bytes) -> bytes:
    """A result with names and URIs as clients of ``/mcp`` know them."""
    upstream = call.upstream.name
    # Only tool names are short of room: clients put their own prefix before 64 characters.
    rename = join if call.method == "tools/list" else _plain
    return rewrite_result(call.method, raw, upstream, lambda name: rename(upstream, name))


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
    )
