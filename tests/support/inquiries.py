"""Questions as tests ask them."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from lockgate.approval.approvers import Approvers
from lockgate.approval.desk import Held
from lockgate.approval.rules import ApprovalRules
from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Call,
    Decision,
    Facts,
    Known,
    binding_of,
    question_of,
)
from lockgate.model.inquiry import Answer, Inquiry, Kept, Need, Vote
from lockgate.pipeline.judge import judge
from lockgate.pipeline.order import Order
from lockgate.store.directory import Directory
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.privileges import MemoryPrivileges
from lockgate.store.relations import MemoryRelations
from lockgate.store.standing import HeldStanding
from worlds import call

AT = 1_000
CALL = call("delete_patient", patient_id="p-1")
BINDING = binding_of(CALL, {"approval.gate": "g"})


def inquiry(id: str = "q1", **changes: Any) -> Inquiry:
    """Pending: alice asks; one owner must say yes."""
    asked = Inquiry(
        id=id, kind="call", digest=BINDING.digest, title="clinic/delete_patient",
        holder="person:alice", agent="desk-agent", excluded=("alice",), needs=(Need("owner"),),
        created=AT, expires=AT + 900, window=300, binding=BINDING, call="c1",
        tool={"upstream": "clinic", "target": "delete_patient"}, kept_until=AT + 5_000,
    )  # fmt: skip
    return replace(asked, **changes)


def vote(voter: str = "oidc:dora", answer: Answer = "yes", **changes: Any) -> Vote:
    given = Vote("q1", voter, answer, BINDING.digest, AT + 1, ("owner",))
    return replace(given, **changes)


def yes_to(asked: Call, order: Order, now: int = 0, expires: int = 9_999) -> Approval:
    """An owner's yes to exactly what these controls hold ``asked`` for."""
    decision = judge(order.on_call, asked, Facts({APPROVALS: Known(()), NOW: Known(now)}))
    return Approval("a1", question_of(asked, decision), "owner", ("os:dora",), expires)


class NoDesk:
    """Nobody is ever asked: for stages where no call is held."""

    async def hold(self, call: Call, decision: Decision) -> Held:
        raise AssertionError(f"{call.id} was held")

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        raise AssertionError(f"{ids} were used")


def approved(id: str = "q1", **changes: Any) -> Inquiry:
    return inquiry(id, **{"state": "approved", "decided": AT} | changes)


def operators(clock: Callable[[], int]) -> Approvers:
    """Whoever types at the machine answers, as where roles are not enforced."""
    standing = HeldStanding(
        MemoryPrivileges(), MemoryInquiries(clock), MemoryRelations(), lambda: False, clock
    )
    standing.refresh(clock())
    directory = Directory(MemoryPeople())
    directory.refresh(clock())
    return Approvers(ApprovalRules(), directory, standing)
