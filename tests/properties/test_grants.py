"""A grant never covers a call with any value outside its bounds, or that none of them names."""

from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import force_setattr

from lockgate.model import Approval, Principal, binding_of
from lockgate.model.approval import Bound, Scope, leaves
from lockgate.model.call import Call
from worlds import ALICE, BOB, CLINIC, call

names = st.sampled_from(["a", "b", "c/d", "e~f", ""])
numbers = st.one_of(st.integers(-10, 10), st.integers(-(10**400), 10**400),
                    st.floats(-10, 10), st.floats(allow_nan=False))  # fmt: skip
scalars = st.one_of(numbers, st.booleans(), st.text(max_size=2), st.none())
values = st.recursive(
    scalars,
    lambda more: st.lists(more, max_size=2) | st.dictionaries(names, more, max_size=2),
    max_leaves=4,
)
arguments = st.dictionaries(names, values, max_size=3)
typed = st.one_of(numbers, st.booleans(), st.text(max_size=2))
pointers = st.lists(st.sampled_from(["a", "b", "c~1d", "e~0f", ""]), min_size=1, max_size=2).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
bounds = st.builds(
    Bound, pointers, st.sampled_from(["equals", "one-of", "at-most", "at-least"]),
    st.lists(typed, min_size=1, max_size=2).map(tuple),
)  # fmt: skip


def found_at(pointer: str, said: Any) -> Any:
    for name in pointer.split("/")[1:]:
        said = said[name.replace("~1", "/").replace("~0", "~")]
    return said


def inside(bound: Bound, said: Any) -> bool:
    """What a bound means, said again in other words."""
    if bound.is_ in ("equals", "one-of"):
        return any(type(v) is type(said) and v == said for v in bound.values)
    if isinstance(said, bool) or not isinstance(said, int | float):
        return False
    if any(isinstance(v, bool | str) for v in bound.values) or abs(said) == float("inf"):
        return False
    exact = Decimal(said) if isinstance(said, int) else Decimal(repr(said))
    limits = [Decimal(v) if isinstance(v, int) else Decimal(repr(v)) for v in bound.values]
    if bound.is_ == "at-most":
        return all(exact <= limit for limit in limits)
    return all(exact >= limit for limit in limits)


def scope(*held: Bound) -> Scope:
    return Scope(ALICE.id, ALICE.agent, "clinic", CLINIC.fingerprint, "pay", held)


@given(arguments, st.lists(bounds, max_size=4))
def test_a_call_outside_any_bound_is_never_covered(said: Any, held: list[Bound]) -> None:
    covered = scope(*held).takes(_call(said))
    if not covered:
        return
    named = {bound.pointer for bound in held}
    assert set(leaves(said)) <= named, "every value is bounded"
    for bound in held:
        assert inside(bound, found_at(bound.pointer, said))


@given(arguments)
def test_the_very_call_is_inside_bounds_that_name_all_of_it(said: Any) -> None:
    flat = {p: found_at(p, said) for p in leaves(said)}
    plain = all(isinstance(v, str | bool | int | float) for v in flat.values())
    # A float from 2**53 on stands for several numbers, so nothing is equal to it.
    plain = plain and not any(isinstance(v, float) and abs(v) >= 2**53 for v in flat.values())
    held = scope(*(Bound(p, "equals", (v,)) for p, v in flat.items()))
    assert held.takes(_call(said)) is plain


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_are_compared_exactly(found: int, limit: int) -> None:
    held = scope(Bound("/a", "at-most", (limit,)))
    assert held.takes(_call({"a": found})) is (found <= limit)


def test_a_tenth_is_a_tenth() -> None:
    held = scope(Bound("/a", "at-most", (0.3,)))
    assert held.takes(_call({"a": 0.3}))
    assert not held.takes(_call({"a": 0.30000000000000004}))


@given(arguments)
def test_another_person_agent_or_tool_is_never_covered(said: Any) -> None:
    held = scope(*(Bound(p, "equals", (found_at(p, said),)) for p in leaves(said)))
    for other in (_call(said, target="refund"), _call(said, principal=BOB)):
        assert not held.takes(other)
    binding = binding_of(_call(said), {"approval.gate": "g"})
    approval = Approval("q", binding, "owner", ("oidc:dora",), 10, held)
    assert not approval.covers(_call(said), "approval.gate", "g", 10), "in time only"
    assert not approval.covers(_call(said), "approval.gate", "other", 5), "on the same grounds only"


def _call(said: Any, target: str = "pay", principal: Principal = ALICE) -> Call:
    """Numbers that JSON cannot carry come as they are."""
    made = call(target, principal=principal)
    force_setattr(made, "decoded", {"name": target, "arguments": said})
    return made
