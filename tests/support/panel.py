"""Questions about a call to ``pay``, and whoever is asked."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from lockgate.approval.approvers import Approvers
from lockgate.approval.payload import stored
from lockgate.approval.ports import InquiryStore
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals
from lockgate.model import Call, Person, binding_of
from lockgate.model.inquiry import Inquiry, Need
from lockgate.store.directory import Directory
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.relations import MemoryRelations
from lockgate.store.standing import HeldStanding
from support.inquiries import AT, inquiry
from worlds import call

PAY: dict[str, Any] = {"patient_id": "p-011", "amount": 50, "unit": "mg", "urgent": False}
OWNERS = frozenset({"oidc:dora", "oidc:erin", "oidc:alice"})
RULES = ApprovalRules(
    {"owner": FactorRule(people=OWNERS), "security": FactorRule(people=frozenset({"oidc:sam"})),
     "self": FactorRule(confirm=True)},
    frozenset({"oidc:vera"}),
)  # fmt: skip


class Panel:
    """Alice asks; dora, erin and sam are asked."""

    def __init__(self, rules: ApprovalRules = RULES, store: InquiryStore | None = None) -> None:
        self.now = AT
        self.rules = rules
        self.memory = MemoryInquiries(lambda: self.now)
        self.store = store or self.memory
        self.events = MemoryEvents()
        self.people = MemoryPeople()
        self.relations = MemoryRelations()
        self._ids = 0

    def approvers(self) -> Approvers:
        memory = self.store if isinstance(self.store, MemoryInquiries) else self.memory
        standing = HeldStanding(memory, self.relations, lambda: True, lambda: self.now)
        standing.refresh(self.now)
        directory = Directory(self.people)
        directory.refresh(self.now)
        return Approvers(self.rules, directory, standing)

    def as_(self, identity: str) -> Approvals:
        return Approvals(self.store, self.events, self.approvers(), Actor(identity, "cli"),
                         lambda: self.now, self.random)  # fmt: skip

    def ask(self, id: str = "q1", arguments: Any = None, **changes: Any) -> Inquiry:
        asked = paying(**(PAY if arguments is None else arguments))
        binding = binding_of(asked, {"approval.gate": "g"})
        one = inquiry(
            id, digest=binding.digest, binding=binding, title="clinic/pay", call=f"c-{id}",
            tool={"upstream": "clinic", "target": "pay", "entity /patient_id": "p-011"},
            kept_until=AT + 10_000_000, needs=(Need("owner"),),
        )  # fmt: skip
        return self.store.add(replace(one, **changes), stored(asked))

    def know(self, *people: Person) -> None:
        assert self.people.put(people) == "done"

    def actions(self) -> Sequence[str]:
        return [row.event.header["action"] for row in self.events.tail(50)]

    def random(self, count: int) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(count, "big")


def paying(**arguments: Any) -> Call:
    return call("pay", **arguments)
