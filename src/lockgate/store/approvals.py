"""Which approved questions stand, in memory, as every call asks for them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.model import Call, StoreDown
from lockgate.model.inquiry import Asked, Inquiry
from lockgate.store.feed import STALE_MS, Snapshot

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""


class Inquiries(Protocol):
    """``StoredInquiries`` or ``MemoryInquiries``."""

    def changed(self, since: int) -> tuple[int, tuple[Asked, ...]] | None: ...

    def answered(self, now: int) -> tuple[Inquiry, ...]: ...

    def claim(self, ids: Sequence[str], node: str, now: int) -> bool: ...


class _Standing(msgspec.Struct, frozen=True):
    version: int = -1
    live: tuple[Asked, ...] = ()
    calls: Mapping[str, tuple[Asked, ...]] = {}
    """By the digest of the call."""
    grants: Mapping[tuple[str, str, str], tuple[Asked, ...]] = {}
    """By principal, upstream and tool."""
    answered: Mapping[str, int] = {}
    """Until when the result of a call is kept, by its digest."""
    versions: Mapping[str, int] = {}
    """Of the live questions, by id."""


class StandingApprovals:
    """Satisfies ``pipeline.ports.Approvals``.

    What another process approved is seen at the next ``refresh``. Whether something may be used is
    only ever decided by the database.
    """

    def __init__(
        self,
        inquiries: Inquiries,
        clock: Clock,
        node: str = "",
        stale_ms: int = STALE_MS,
        working: set[str] | None = None,
    ) -> None:
        """``working``: gets the ids of what is used here."""
        self._inquiries = inquiries
        self._clock = clock
        self.node = node
        """Which worker this is."""
        self._working = set() if working is None else working
        self._snapshot: Snapshot[_Standing] = Snapshot(self, _Standing(), stale_ms)

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s; raises ``StoreDown``."""
        self._snapshot.refresh(now_ms)

    def standing(self, call: Call) -> tuple[Asked, ...]:
        """Approved, unused and unexpired, and for such a call: what is for exactly this one first,
        then grants; but none where this very call runs or ran by a yes of its own and its result is
        kept: whoever comes again for that must not run it twice. Raises ``StoreDown`` when the copy
        is too old to say."""
        held, now = self._held(), self._clock()
        principal = (call.principal.id, call.upstream.name, call.target)
        grants = held.grants.get(principal, ())
        if grants and now < held.answered.get(call.digest, 0):
            grants = ()
        found = (*held.calls.get(call.digest, ()), *grants)
        return tuple(asked for asked in found if asked.inquiry.at(now).state == "approved")

    @property
    def version(self) -> int:
        """Rises with every change of any question; -1 before the first refresh."""
        return self._snapshot.version

    def versions(self) -> Mapping[str, int]:
        """Of each question that is pending or approved in this copy, by its id."""
        return self._snapshot.rows.versions

    def live(self) -> tuple[Asked, ...]:
        """Pending and approved, newest first. Raises ``StoreDown`` as ``standing`` does."""
        now = self._clock()
        return tuple(a for a in self._held().live if a.inquiry.at(now).state != "expired")

    async def consume(self, ids: Sequence[str]) -> bool:
        """Use each once, or none. Raises ``StoreDown``."""
        if not ids:
            return True
        now = self._clock()
        done = await asyncio.to_thread(self._inquiries.claim, ids, self.node, now)
        await asyncio.to_thread(self.refresh, now)
        if done:  # last: whoever gets no answer has used nothing that it would be at work on
            self._working.update(ids)
        return done

    def changed(self, since: int) -> tuple[int, _Standing] | None:
        found = self._inquiries.changed(since)
        if found is None:
            return None
        calls: dict[str, tuple[Asked, ...]] = {}
        grants: dict[tuple[str, str, str], tuple[Asked, ...]] = {}
        for asked in found[1]:
            one = asked.inquiry
            if one.state != "approved" or one.binding is None:
                continue
            if one.scope is not None:
                place = (one.scope.principal, one.scope.upstream, one.scope.target)
                grants[place] = (*grants.get(place, ()), asked)
            else:
                calls[one.binding.call] = (*calls.get(one.binding.call, ()), asked)
        versions = {asked.inquiry.id: asked.inquiry.version for asked in found[1]}
        ran = self._inquiries.answered(self._clock()) if grants else ()
        answered = {one.binding.call: one.kept_until for one in reversed(ran) if one.binding}
        return found[0], _Standing(found[0], found[1], calls, grants, answered, versions)

    def _held(self) -> _Standing:
        if not self._snapshot.fresh(self._clock()):
            raise StoreDown("the approvals were not read lately")
        return self._snapshot.rows
