"""Who holds which admin role and who answers for whom, in memory, never older than can be borne."""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar, cast

from lockgate.model import StoreDown
from lockgate.model.inquiry import Asked, Delegation, Inquiry
from lockgate.model.privilege import AdminRole
from lockgate.store.feed import STALE_MS, Snapshot

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""

T = TypeVar("T")
EVERYTHING: frozenset[AdminRole] = frozenset({"approver", "responder"})
"""What the machine's own accounts may where roles are not enforced."""


class Inquiries(Protocol):
    """``StoredInquiries`` or ``MemoryInquiries``."""

    def changed(self, since: int) -> tuple[int, tuple[Asked, ...]] | None: ...

    def changed_delegations(self, since: int) -> tuple[int, tuple[Delegation, ...]] | None: ...


Related = Mapping[tuple[str, str], frozenset[str]]
"""Entity and relation, and the names of who stands in it."""


class Relations(Protocol):
    def changed_relations(self, since: int) -> tuple[int, Related] | None: ...


_Roles = Mapping[str, tuple[Inquiry, ...]]
"""Approved questions about a role, by whose role it is."""


class HeldStanding:
    """Satisfies ``approval.approvers.Standing``."""

    def __init__(
        self,
        inquiries: Inquiries,
        relations: Relations,
        enforced: Callable[[], bool],
        clock: Clock,
        stale_ms: int = STALE_MS,
    ) -> None:
        self._enforced = enforced
        self._clock = clock
        self._roles: Snapshot[_Roles] = Snapshot(
            _Changed(lambda since: _roles(inquiries.changed(since))), {}, stale_ms
        )
        self._delegations: Snapshot[tuple[Delegation, ...]] = Snapshot(
            _Changed(inquiries.changed_delegations), (), stale_ms
        )
        self._relations: Snapshot[Related] = Snapshot(
            _Changed(relations.changed_relations), {}, stale_ms
        )

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s; raises ``StoreDown``."""
        self._roles.refresh(now_ms)
        self._delegations.refresh(now_ms)
        self._relations.refresh(now_ms)

    def roles(self, identity: str) -> frozenset[AdminRole]:
        """Held now. Raises ``StoreDown`` when the copy is too old to say."""
        now, held = self._clock(), self._fresh(self._roles)
        if not self._enforced() and identity.startswith("os:"):
            return EVERYTHING
        mine = (one for one in held.get(identity, ()) if one.at(now).state == "approved")
        return frozenset(cast("AdminRole", one.tool["role"]) for one in mine)

    def related(self, entity: str, relation: str) -> frozenset[str]:
        """Raises ``StoreDown`` as ``roles`` does."""
        return self._fresh(self._relations).get((entity, relation), frozenset())

    def delegations(self) -> tuple[Delegation, ...]:
        """Raises ``StoreDown`` as ``roles`` does."""
        return self._fresh(self._delegations)

    def _fresh(self, copy: Snapshot[T]) -> T:
        if not copy.fresh(self._clock()):
            raise StoreDown("who may answer was not read lately")
        return copy.rows


def _roles(found: tuple[int, tuple[Asked, ...]] | None) -> tuple[int, _Roles] | None:
    if found is None:
        return None
    roles: dict[str, tuple[Inquiry, ...]] = {}
    for asked in found[1]:
        one = asked.inquiry
        if one.kind == "role" and one.state == "approved":
            roles[one.holder] = (*roles.get(one.holder, ()), one)
    return found[0], roles


class _Changed(Generic[T]):
    """As ``Snapshot`` reads it."""

    def __init__(self, changed: Callable[[int], tuple[int, T] | None]) -> None:
        self._changed = changed

    def changed(self, since: int) -> tuple[int, T] | None:
        return self._changed(since)
