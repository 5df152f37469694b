import gc
import weakref

from lockgate.model import Call, Effect, FactKey, Facts, Obligation, Verdict
from lockgate.pipeline.judge import judge, stricter, unmet
from worlds import call

NONE = Facts({})


class Says:
    needs: frozenset[FactKey[int]] = frozenset()

    def __init__(self, id: str, *obligations: Obligation) -> None:
        self.id = id
        self._obligations = obligations

    def check(self, subject: Call, facts: Facts) -> Verdict:
        if not self.id:
            raise ValueError("alice's secret")
        said = "policy.permitted"
        return Verdict(self.id, Effect.PERMIT, said, obligations=self._obligations)


def test_every_control_is_asked_and_is_required() -> None:
    decision = judge([Says("policy.a"), Says("policy.b")], call(), NONE)
    assert decision.required == {"policy.a", "policy.b"}
    assert decision.effect is Effect.PERMIT
    assert decision.about == call().digest


def test_no_control_is_remembered() -> None:
    """Each reload makes new ones, and they hold all that policy has learnt."""
    control = Says("policy.a")
    gone = weakref.ref(control)
    judge((control,), call(), NONE)
    del control
    gc.collect()
    assert gone() is None


def test_no_controls_deny() -> None:
    assert judge([], call(), NONE).reason == "pipeline.no-controls"


def test_a_control_that_raises_denies_and_does_not_leak_what_it_said() -> None:
    decision = judge([Says("policy.a"), Says("")], call(), NONE)
    assert decision.reason == "pipeline.control-failed"
    assert "alice" not in repr(decision)


def test_a_denial_can_be_put_on_top_but_nothing_loosened() -> None:
    decision = stricter(judge([Says("policy.a")], call(), NONE), "pipeline.rewrites")
    assert (decision.effect, decision.reason) == (Effect.DENY, "pipeline.rewrites")


def test_an_obligation_that_nobody_can_do_denies() -> None:
    decision = judge([Says("policy.a", Obligation("drop", "/x"))], call(), NONE)
    assert unmet(decision, frozenset({"drop"})) is decision
    assert unmet(decision, frozenset()).reason == "obligation.cannot"
