import pytest

from lockgate.model import (
    QUOTA,
    SYSTEM,
    Effect,
    FactKey,
    Facts,
    Known,
    Reservation,
    Unknown,
    Verdict,
)
from lockgate.policy.quota import Quota
from worlds import ALICE, call


def check(fact: Known[Reservation] | Unknown, *, system: bool = False) -> Verdict:
    key: FactKey[Reservation] = QUOTA
    return Quota().check(call(principal=SYSTEM if system else ALICE), Facts({key: fact}))


def taken(*, rate: bool = True, running: bool = True) -> Known[Reservation]:
    return Known(Reservation("person:alice", rate, running, 60, 8, 0 if rate else 1500))


@pytest.mark.parametrize(
    ("fact", "effect", "reason"),
    [
        (taken(), Effect.PERMIT, "quota.within"),
        (taken(rate=False), Effect.DENY, "quota.exceeded"),
        (taken(running=False), Effect.DENY, "quota.concurrency"),
        (taken(rate=False, running=False), Effect.DENY, "quota.exceeded"),
        (Unknown("store: timeout"), Effect.DENY, "quota.unknown"),
    ],
)
def test_judges_the_reservation(
    fact: Known[Reservation] | Unknown, effect: Effect, reason: str
) -> None:
    verdict = check(fact)
    assert (verdict.effect, verdict.reason) == (effect, reason)


def test_says_how_long_to_wait_and_which_limit_was_met() -> None:
    verdict = check(taken(rate=False))
    assert verdict.retry_after_ms == 1500
    assert verdict.because == ("limit:60/minute",)
    assert check(taken(running=False)).because == ("limit:8 running",)


def test_lockgates_own_traffic_is_exempt() -> None:
    verdict = check(Unknown("not gathered"), system=True)
    assert (verdict.effect, verdict.reason) == (Effect.PERMIT, "quota.exempt")
