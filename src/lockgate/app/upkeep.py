"""Keeps what listeners subscribed to standing at upstreams, and lets go of what nobody wants."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from lockgate.app.listener import Listener
from lockgate.app.stamps import stamp
from lockgate.pipeline import record
from lockgate.pipeline.caller import Endpoint
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate, Refused
from lockgate.pipeline.subscriptions import SUBSCRIBE, Anchor, about, subscribe, unsubscribe
from lockgate.wire.refusal import WireRefusal

_UNDECIDED = ("quota.", "upstream.", "pipeline.", "journal.")
"""Areas of refusals that may be over soon. Nothing is told meanwhile."""


class InForce(Protocol):
    """What a reload replaces."""

    @property
    def gate(self) -> Gate: ...

    @property
    def resolver(self) -> Resolver: ...

    @property
    def endpoints(self) -> Mapping[str, Endpoint]: ...


class Upkeep:
    def __init__(
        self, in_force: Callable[[], InForce], listeners: Callable[[str], Iterable[Listener]]
    ) -> None:
        self._in_force = in_force
        self._listeners = listeners
        """Those of a holder."""

    async def renew(self, listener: Listener, uris: Collection[str], call_id: str) -> None:
        """Ask for all of ``uris`` anew: what is not permitted (any more) does not stand.

        Raises ``JournalDown``.
        """
        async with listener.turn:
            standing = {a.outer: a for a in listener.anchors.values() if a.outer not in uris}
            asked = await self._ask(listener, uris, call_id)
            standing |= {uri: found for uri, found in asked.items() if isinstance(found, Anchor)}
            listener.anchors = {anchor.key: anchor for anchor in standing.values()}
            listener.again = frozenset(u for u, why in asked.items() if _is_undecided(why))

    async def match(self, listener: Listener, wanted: frozenset[str]) -> None:
        """Let go of what is not wanted any more, and ask for what is new or was undecided.

        Raises ``JournalDown``.
        """
        async with listener.turn:
            gone = [a for a in listener.anchors.values() if a.outer not in wanted]
            for anchor in gone:
                del listener.anchors[anchor.key]
            standing = {anchor.outer for anchor in listener.anchors.values()}
            new = (wanted - listener.wanted - standing) | (listener.again & wanted)
            listener.wanted = wanted
        await self.release(listener.holder, gone)
        if new:
            await self.renew(listener, new, stamp().id)

    async def release(self, holder: str, anchors: Iterable[Anchor]) -> None:
        """Tell upstreams about subscriptions that no listener of this holder shares.

        Raises ``JournalDown``.
        """
        shared = {key for listener in self._listeners(holder) for key in listener.anchors}
        gate = self._in_force().gate
        for anchor in anchors:
            if anchor.key not in shared:
                await unsubscribe(anchor, stamp().id, gate)

    async def _ask(
        self, listener: Listener, uris: Iterable[str], call_id: str
    ) -> dict[str, Anchor | str]:
        """The subscription, or the reason against it, of each URI."""
        asked = list(uris)
        found = await asyncio.gather(
            *(self._ask_one(listener, uri, call_id, n) for n, uri in enumerate(asked)),
            return_exceptions=True,  # each finishes what it began, whatever happens to another
        )
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return {u: f for u, f in zip(asked, found, strict=True) if isinstance(f, Anchor | str)}

    async def _ask_one(
        self, listener: Listener, uri: str, call_id: str, number: int
    ) -> Anchor | str:
        state = self._in_force()
        call = f"{call_id}.{number}" if number else call_id
        caller = msgspec.structs.replace(listener.caller, call=call)
        request = about(listener.request, SUBSCRIBE, uri)
        first = call_id if number else ""
        try:
            found = await subscribe(request, caller, state.resolver, state.gate, part_of=first)
        except WireRefusal as refused:
            reason, raw = refused.reason, request.params
            state.gate.journal.note(record.refusal(stamp(), caller, SUBSCRIBE, reason, raw))
            return reason
        if isinstance(found, Anchor):
            return found
        return found.reason if isinstance(found, Refused) else ""


def _is_undecided(found: Anchor | str) -> bool:
    return isinstance(found, str) and found.startswith(_UNDECIDED)
