from lockgate.approval.gate import ApprovalGate, grounds_of
from lockgate.model import APPROVALS, NOW, Approval, Effect, Facts, Known, Unknown, binding_of
from worlds import call

GATE = ApprovalGate({("clinic", "delete_patient"): "owner"})
ASKED = call("delete_patient", patient_id="p-1")


def facts(*approvals: Approval, now: int = 0) -> Facts:
    return Facts({APPROVALS: Known(approvals), NOW: Known(now)})


def yes(factor: str = "owner") -> Approval:
    question = binding_of(ASKED, {GATE.id: grounds_of(ASKED, factor)})
    return Approval("a1", question, factor, ("os:dora",), 100)


def test_an_unmarked_tool_needs_nobody() -> None:
    assert GATE.check(call("get_patient"), facts()).reason == "approval.not-needed"


def test_a_marked_tool_is_held_until_its_factor_says_yes() -> None:
    verdict = GATE.check(ASKED, facts())
    assert (verdict.effect, verdict.factors) == (Effect.HOLD, ("owner",))
    given = GATE.check(ASKED, facts(yes()))
    assert (given.effect, given.used) == (Effect.PERMIT, ("a1",))
    assert GATE.check(ASKED, facts(yes(factor="security"))).effect is Effect.HOLD


def test_approval_for_one_call_does_not_cover_another() -> None:
    other = call("delete_patient", patient_id="p-2")
    assert GATE.check(other, facts(yes())).effect is Effect.HOLD


def test_an_approval_under_another_mark_or_out_of_time_does_not_count() -> None:
    other = ApprovalGate({("clinic", "delete_patient"): "security"})
    assert other.check(ASKED, facts(yes())).effect is Effect.HOLD
    assert GATE.check(ASKED, facts(yes(), now=100)).effect is Effect.HOLD


def test_unknown_approvals_deny() -> None:
    verdict = GATE.check(ASKED, Facts({APPROVALS: Unknown("down"), NOW: Known(0)}))
    assert (verdict.effect, verdict.reason) == (Effect.DENY, "approval.unknown")
    verdict = GATE.check(ASKED, Facts({APPROVALS: Known((yes(),)), NOW: Unknown("down")}))
    assert verdict.effect is Effect.DENY
