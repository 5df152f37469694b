"""Step 11: forward what is permitted, and nothing else."""

import asyncio
from collections.abc import Callable

from lockgate.model import Call, Notice, Permit, Reply, SendFailed
from lockgate.upstream.catalogue import Registry, ToolCache, tools_in, unusable
from lockgate.upstream.link import Link, LinkReply, Progress
from lockgate.upstream.listing import read_list, without
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Registered
from lockgate.wire.methods import METHODS

MARGIN_SECONDS = 0.1
"""On a link that is open, its own deadline comes first and tells the upstream."""


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
        """Forward once. Raises ``SendFailed``; cancelling it cancels the call upstream.

        The deadline holds for connecting and calling together. A link that is late goes on
        opening, for the next call.
        """
        call = permit.call
        registered = self._registry.get(call.upstream.name)
        if registered is None or registered.upstream != call.upstream:
            raise SendFailed("upstream.unavailable", call.upstream.name)
        seconds = _deadline(call, registered)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._send(call, registered, notify)
        except TimeoutError:
            detail = f"{call.method}: {seconds:g} s, connecting included"
            raise SendFailed("upstream.timeout", detail) from None
        return Reply(call, answer.raw, answer.is_error)

    async def _send(
        self, call: Call, registered: Registered, notify: Callable[[Notice], None]
    ) -> LinkReply:
        async with self._pool.lease(registered, call.principal.holder) as link:
            if METHODS[call.method].kind == "list":
                return await self._list(call, registered, link)
            return await _ask(call, link, notify)

    async def _list(self, call: Call, registered: Registered, link: Link) -> LinkReply:
        answer = await read_list(link, call.method, call.envelope, registered.bounds)
        if call.method != "tools/list" or answer.is_error:
            return answer
        usable = without(answer.raw, call.method, unusable(answer.raw))
        current = self._registry.get(registered.name) == registered
        if self._tools is not None and current:  # or a reload would be undone by an old list
            self._tools.put(call.upstream, call.principal.holder, tools_in(call.upstream, usable))
        return LinkReply(usable)


def _deadline(call: Call, registered: Registered) -> float:
    bounds = registered.bounds
    if METHODS[call.method].kind == "list":
        return min(bounds.list_seconds, bounds.call_seconds)
    return bounds.call_seconds + MARGIN_SECONDS


async def _ask(call: Call, link: Link, notify: Callable[[Notice], None]) -> LinkReply:
    def progress(method: str, params: bytes) -> None:
        notify(Notice(call, method, params))

    wanted: Progress | None = progress if call.envelope.progress else None
    return await link.request(
        call.method, call.params, tool=call.tool, progress=wanted, envelope=call.envelope
    )
