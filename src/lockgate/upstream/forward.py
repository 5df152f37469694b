"""Step 11: forward what is permitted, and nothing else."""

from collections.abc import Callable

from lockgate.model import Call, Permit, Reply, SendFailed
from lockgate.model.call import EraName
from lockgate.upstream.catalogue import Changed, Registry, ToolCache, tools_in, unusable
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.link import Hears, Link, LinkReply
from lockgate.upstream.listing import read_list, without
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Registered
from lockgate.wire.methods import METHODS

MARGIN_SECONDS = 0.1
"""On a link that is open, its own deadline comes first and tells the upstream."""


class Forwarder:
    """The only way from a call to an upstream. It takes a ``Permit``, and so a permitting decision.

    The links used are those held on the call's terms. Each ``tools/list`` that passes is remembered
    in ``tools``, as the upstream gave it: what policy hides is hidden later. ``changed`` is told of
    each tool that is another now than when it was last listed.
    """

    def __init__(
        self,
        registry: Registry,
        pool: Pool,
        tools: ToolCache | None = None,
        changed: Callable[[Call, Changed], None] = lambda *_: None,
    ) -> None:
        self._registry = registry
        self._pool = pool
        self._tools = tools
        self._changed = changed

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        """Forward once. Raises ``SendFailed``; cancelling it cancels the call upstream.

        The deadline holds for connecting and calling together. A link that is late goes on
        opening, for the next call.
        """
        call = permit.call
        registered = self._registry.get(call.upstream.name)
        if registered is None or registered.upstream != call.upstream:
            raise SendFailed("upstream.unavailable", call.upstream.name)
        deadline = Deadline(_seconds(call, registered))
        try:
            async with deadline:
                answer = await self._send(call, registered, Pausing(hears, deadline))
        except TimeoutError:
            detail = f"{call.method}: {deadline.seconds:g} s, connecting included"
            raise SendFailed("upstream.timeout", detail) from None
        return Reply(call, answer.raw, answer.is_error)

    async def _send(self, call: Call, registered: Registered, hears: Hears) -> LinkReply:
        async with self._pool.lease(registered, call.terms) as link:
            kind = METHODS[call.method].kind
            if kind == "list":
                return await self._list(call, registered, link)
            if kind == "task" and link.peer.era != "modern":
                raise SendFailed(
                    "task.other-era", f"{call.upstream.name} speaks {link.peer.version}"
                )
            return await _ask(call, link, hears)

    async def _list(self, call: Call, registered: Registered, link: Link) -> LinkReply:
        answer = await read_list(link, call.method, call.envelope, registered.bounds)
        if call.method != "tools/list" or answer.is_error:
            return answer
        usable = without(answer.raw, call.method, unusable(answer.raw))
        current = self._registry.get(registered.name) == registered
        if self._tools is not None and current:  # or a reload would be undone by an old list
            tools = tools_in(call.upstream, usable)
            for one in self._tools.put(call.upstream, call.terms, tools):
                self._changed(call, one)
        return LinkReply(usable)


class Pausing:
    """Who asked, under a deadline that stands still while they are asked."""

    def __init__(self, hears: Hears, deadline: Deadline) -> None:
        self.note = hears.note
        self._ask = hears.ask
        self._deadline = deadline

    async def ask(self, method: str, params: bytes, era: EraName) -> LinkReply:
        with self._deadline.paused():
            return await self._ask(method, params, era)


def _seconds(call: Call, registered: Registered) -> float:
    bounds = registered.bounds
    if METHODS[call.method].kind == "list":
        return min(bounds.list_seconds, bounds.call_seconds)
    return bounds.call_seconds + MARGIN_SECONDS


async def _ask(call: Call, link: Link, hears: Hears) -> LinkReply:
    return await link.request(
        call.method, call.params, tool=call.tool, hears=hears, envelope=call.envelope
    )
