import pytest

from lockgate.model import Effect, Finding, Obligation, Uncatalogued, Verdict, combine

YES = Verdict("policy.cedar", Effect.PERMIT, "policy.permitted", because=("p1",))
ALSO = Verdict("policy.quota", Effect.PERMIT, "quota.within")


def test_effects_are_ordered_by_strictness() -> None:
    assert Effect.PERMIT < Effect.HOLD < Effect.DENY


def test_among_equals_the_one_that_can_say_why_is_quoted() -> None:
    decision = combine("d", [ALSO, YES], required=frozenset({"policy.cedar", "policy.quota"}))
    assert decision.reason == "policy.permitted"
    assert decision.deciding is not None
    assert decision.deciding.because == ("p1",)


def test_a_silent_control_is_named() -> None:
    decision = combine("d", [YES], required=frozenset({"policy.cedar", "policy.quota"}))
    assert decision.reason == "pipeline.control-silent"
    assert decision.deciding.control == "policy.quota"


def test_findings_and_obligations_are_gathered_from_all() -> None:
    found = Finding("x", "/a", 0, 1)
    one = Verdict("a.b", Effect.PERMIT, "policy.permitted", findings=(found,),
                  obligations=(Obligation("drop", "/a"),))  # fmt: skip
    decision = combine("d", [one, YES], required=frozenset({"a.b"}))
    assert decision.findings == (found,)
    assert decision.obligations == (Obligation("drop", "/a"),)


def test_reasons_are_catalogued() -> None:
    with pytest.raises(Uncatalogued):
        Verdict("a.b", Effect.DENY, "made.up")
