"""Questions as tests ask them."""

from typing import Any

from msgspec.structs import replace

from lockgate.model import binding_of
from lockgate.model.inquiry import Answer, Inquiry, Need, Vote
from worlds import call

NOW = 1_000
CALL = call("delete_patient", patient_id="p-1")
BINDING = binding_of(CALL, {"approval.gate": "g"})


def inquiry(id: str = "q1", **changes: Any) -> Inquiry:
    """Pending: alice asks; one owner must say yes."""
    asked = Inquiry(
        id=id, kind="call", digest=BINDING.digest, title="clinic/delete_patient",
        holder="person:alice", agent="desk-agent", excluded=("alice",), needs=(Need("owner"),),
        created=NOW, expires=NOW + 900, window=300, binding=BINDING, call="c1",
        tool={"upstream": "clinic", "target": "delete_patient"}, kept_until=NOW + 5_000,
    )  # fmt: skip
    return replace(asked, **changes)


def vote(voter: str = "oidc:dora", answer: Answer = "yes", **changes: Any) -> Vote:
    given = Vote("q1", voter, answer, BINDING.digest, NOW + 1, ("owner",))
    return replace(given, **changes)


def approved(id: str = "q1", **changes: Any) -> Inquiry:
    return inquiry(id, state="approved", decided=NOW, **changes)
