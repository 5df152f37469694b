from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import Approval, Binding, Call, binding_of
from lockgate.model.approval import Bound, Scope
from worlds import CLINIC, call

ASKED = call("delete_patient", patient_id="p-1")
BINDING = binding_of(ASKED, {"approval.gate": "g"})
YES = Approval("a1", BINDING, "owner", ("os:dora",), expires=1_000)


def covers(given: Approval = YES, asked: Call = ASKED, **changes: Any) -> bool:
    said: Any = {"control": "approval.gate", "grounds": "g", "now": 999} | changes
    return given.covers(asked, **said)


def test_an_approval_covers_one_call_on_these_grounds_for_a_time() -> None:
    assert covers()
    assert not covers(now=1_000)
    assert not covers(grounds="another mark")
    assert not covers(control="policy.cedar")
    assert not covers(asked=call("delete_patient", patient_id="p-2"))


def test_a_changed_definition_is_another_tool() -> None:
    assert not covers(msgspec.structs.replace(YES, binding=bound_to(tool="other")))


def bound_to(**changes: Any) -> Binding:
    return msgspec.structs.replace(BINDING, **changes)


def test_each_part_of_what_is_asked_is_in_its_digest() -> None:
    changed: list[Any] = [{"call": "x"}, {"tool": "x"}, {"grounds": (("approval.gate", "x"),)},
               {"labels": ("x",)}]  # fmt: skip
    digests = {bound_to(**one).digest for one in changed} | {BINDING.digest}
    assert len(digests) == 5


def grant(*bounds: Bound, **place: str) -> Approval:
    who = ASKED.principal
    mine = {"target": "delete_patient", "agent": who.agent}
    where = mine | place
    scope = Scope(who.id, where["agent"], CLINIC.name, CLINIC.fingerprint, where["target"], bounds)
    return msgspec.structs.replace(YES, scope=scope, binding=bound_to(call=""))


MINE = Bound("/patient_id", "one-of", ("p-1", "p-2"))


def test_a_grant_covers_what_its_bounds_let_in() -> None:
    assert covers(grant(MINE))
    assert covers(grant(MINE), call("delete_patient", patient_id="p-2"))
    assert not covers(grant(MINE), call("delete_patient", patient_id="p-3"))
    assert not covers(grant(MINE), call("delete_patient"))
    assert not covers(grant(MINE), call("delete_patient", patient_id="p-1", force=True))
    assert not covers(grant(MINE, target="get_patient"))
    assert not covers(grant(MINE, agent="another"))


@pytest.mark.parametrize("found", [True, "5", None, [5], 5.5])
def test_a_bound_takes_no_other_type(found: Any) -> None:
    exact, most = Bound("/n", "equals", (5,)), Bound("/n", "at-most", (5,))
    assert not exact.holds({"n": found})
    assert not most.holds({"n": found})


@given(st.integers(-10, 10) | st.floats(-10, 10), st.integers(-5, 5), st.integers(-5, 5))
def test_numbers_lie_between_their_bounds(found: float, least: int, most: int) -> None:
    both = (Bound("/n", "at-least", (least,)), Bound("/n", "at-most", (most,)))
    assert all(one.holds({"n": found}) for one in both) == (least <= found <= most)


def test_bounds_reach_into_objects() -> None:
    assert Bound("/a/b~1c", "equals", ("x",)).holds({"a": {"b/c": "x"}})
    assert not Bound("/a/b", "equals", ("x",)).holds({"a": "x"})


def test_a_number_too_long_for_a_float_is_not_known_to_be_the_one_that_was_meant() -> None:
    meant, other = (orjson.loads(b"11805916207174113034249" + last) for last in (b"0", b"1"))
    assert meant == other
    assert not Bound("/id", "equals", (meant,)).holds({"id": other})
    assert not Bound("/id", "one-of", (meant,)).holds({"id": meant})
    assert Bound("/id", "equals", (2**63,)).holds({"id": 2**63})
