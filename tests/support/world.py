"""Every port of the pipeline in one small world, where the n-th call of a port can fail."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lockgate.approval.desk import Held
from lockgate.model import (
    APPROVALS,
    NOW,
    QUOTA,
    Approval,
    AuditEvent,
    Call,
    Decision,
    FactKey,
    JournalDown,
    Permit,
    Release,
    Reply,
    Reservation,
    SendFailed,
    StoreDown,
)
from lockgate.model.inquiry import Kept
from lockgate.pipeline.asks import Silent
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import Order, order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.record import Stamp
from lockgate.pipeline.run import Gate
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.upstream.link import Hears

T = TypeVar("T")

PERMIT_ALL = "permit(principal, action, resource);"
RESULT = b'{"content":[{"type":"text","text":"ok"}]}'


def shipped_order(
    policy: str = PERMIT_ALL,
    marks: dict[tuple[str, str], str] | None = None,
    mapping: ArgumentMapping | None = None,
) -> Order:
    bundle = PolicyBundle.compile({"test.cedar": policy}, mapping or ArgumentMapping())
    return order(bundle, marks or {})


class Listening(Silent):
    """A client that keeps what it is told, and answers what it is asked with ``says``."""

    def __init__(self, says: bytes = b'{"action":"accept","content":{}}') -> None:
        self.seen: list[Release] = []
        self.asked: list[Call] = []
        self.says = says

    def deliver(self, release: Release) -> None:
        self.seen.append(release)

    async def ask(self, permit: Permit) -> Reply:
        self.asked.append(permit.call)
        return Reply(permit.call, self.says)


class World:
    """``fail_at``: which port call fails (from 1; 0 for none). ``log`` says what happened."""

    def __init__(self, controls: Order | None = None, fail_at: int = 0) -> None:
        self.order = controls or shipped_order()
        self.left = fail_at
        self.failed = ""
        self.log: list[tuple[str, Any]] = []
        self.result = RESULT
        self.notices: list[tuple[str, bytes]] = []
        self.known_approvals: tuple[Approval, ...] = ()
        self.kept: Kept | None = None
        """With ``hold``: it ran already, and this came of it."""
        self.running = 0
        self.now = 1_000
        self._stamps = 0

    @property
    def steps(self) -> list[str]:
        return [what for what, _ in self.log]

    def events(self, kind: str) -> list[AuditEvent]:
        return [v for what, v in self.log if what in {"commit", "note"} and v.kind == kind]

    def gate(self, **changes: Any) -> Gate:
        sources: dict[FactKey[Any], Source] = {
            NOW: Fact(self, "now", lambda _: self.now),
            QUOTA: Fact(self, "quota", self._reserve),
            APPROVALS: Fact(self, "approvals", lambda _: self.known_approvals),
        }
        gatherer = Gatherer(sources, 1.0)
        return Gate(self.order, gatherer, self, self, self, self, self.stamp, **changes)

    def stamp(self) -> Stamp:
        self._stamps += 1
        return Stamp(f"e-{self._stamps}", self.now)

    @property
    def healthy(self) -> bool:
        return True

    async def commit(self, event: AuditEvent) -> None:
        self.step("commit", event, JournalDown)

    def note(self, event: AuditEvent) -> None:
        self.log.append(("note", event))

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        self.step("send", permit, lambda why: SendFailed("upstream.unreachable", why))
        for method, raw in self.notices:
            hears.note(method, raw)
        return Reply(permit.call, self.result)

    async def consume(self, ids: Sequence[str]) -> bool:
        if not ids:
            return True
        self.step("consume", tuple(ids), StoreDown)
        standing = {a.id for a in self.known_approvals} >= set(ids)
        self.known_approvals = tuple(a for a in self.known_approvals if a.id not in ids)
        return standing

    async def hold(self, call: Call, decision: Decision) -> Held:
        self.step("hold", call, StoreDown)
        return Held(None, kept=self.kept)

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        self.step("finish", (tuple(ids), why, kept), StoreDown)

    def step(self, what: str, value: Any, failure: Callable[[str], Exception]) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = value if what == "fact" else what
            raise failure("down")
        self.log.append((what, value))

    def _reserve(self, call: Call) -> Reservation:
        self.running += 1
        return Reservation(call.principal.id, True, True, 60, 8)


class Fact:
    """A source whose reading is one more port call."""

    def __init__(self, world: World, name: str, learn: Callable[[Call], Any]) -> None:
        self._world, self._name, self._learn = world, name, learn

    def learn(self, call: Call) -> Any:
        self._world.step("fact", self._name, StoreDown)
        return self._learn(call)

    def settle(self, value: Any) -> None:
        if isinstance(value, Reservation):
            self._world.running -= 1
