"""Step 11: forward what is permitted, and nothing else."""

from collections.abc import Callable

from lockgate.model import Call, Notice, Permit, Reply, SendFailed
from lockgate.upstream.catalogue import Registry, ToolCache, tools_in, unusable
from lockgate.upstream.link import Link, LinkReply, Progress
from lockgate.upstream.listing import read_list, without
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Registered
from lockgate.wire.methods import METHODS


class Forwarder:
    """The only way from a call to an upstream. It takes a ``Permit``, and so a permitting decision.

    The links used are those of the call's principal. Each ``tools/list`` that passes is remembered
    in ``tools``, as the upstream gave it: what policy hides is hidden later.
    """

    def __init__(self, registry: Registry, pool: Pool, tools: ToolCache | None = None) -> None:
        self._registry = registry
        self._pool = pool
        self._tools = tools

    async def send(self, permit: Permit, notify: Callable[[Notice], None]) -> Reply:
        """Forward once. Raises ``SendFailed``; cancelling it cancels the call upstream."""
        call = permit.call
        registered = self._registry.get(call.upstream.name)
        if registered is None or registered.upstream != call.upstream:
            raise SendFailed("upstream.unavailable", call.upstream.name)
        async with self._pool.lease(registered, call.principal.holder) as link:
            if METHODS[call.method].kind == "list":
                answer = await self._list(call, registered, link)
            else:
                answer = await _ask(call, link, notify)
        return Reply(call, answer.raw, answer.is_error)

    async def _list(self, call: Call, registered: Registered, link: Link) -> LinkReply:
        answer = await read_list(link, call.method, call.envelope, registered.bounds)
        if call.method != "tools/list" or answer.is_error:
            return answer
        usable = without(answer.raw, call.method, unusable(answer.raw))
        if self._tools is not None:
            self._tools.put(call.upstream, call.principal.holder, tools_in(call.upstream, usable))
        return LinkReply(usable)


async def _ask(call: Call, link: Link, notify: Callable[[Notice], None]) -> LinkReply:
    def progress(method: str, params: bytes) -> None:
        notify(Notice(call, method, params))

    wanted: Progress | None = progress if call.envelope.progress else None
    return await link.request(
        call.method, call.params, tool=call.tool, progress=wanted, envelope=call.envelope
    )
