import msgspec
import pytest

from lockgate.model import (
    Decision,
    Effect,
    NotPermitted,
    Permit,
    Release,
    Reply,
    Verdict,
    combine,
)
from worlds import call

YES = Verdict("policy.cedar", Effect.PERMIT, "policy.permitted")
NO = Verdict("policy.cedar", Effect.DENY, "policy.denied")
ASK = Verdict("policy.cedar", Effect.HOLD, "approval.needed")
REQUIRED = frozenset({"policy.cedar"})


def decide(digest: str, *verdicts: Verdict) -> Decision:
    return combine(digest, verdicts, required=REQUIRED)


@pytest.mark.parametrize("verdicts", [(NO,), (ASK,), (YES, NO), ()])
def test_only_a_permitting_decision_gives_a_permit(verdicts: tuple[Verdict, ...]) -> None:
    one = call(q=1)
    with pytest.raises(NotPermitted):
        Permit(one, decide(one.digest, *verdicts))


def test_a_permit_is_for_the_call_that_was_judged() -> None:
    one, other = call(q=1), call(q=2)
    yes = decide(one.digest, YES)
    assert Permit(one, yes).call is one
    with pytest.raises(NotPermitted, match="other-call"):
        Permit(other, yes)
    with pytest.raises(NotPermitted, match="other-call"):
        msgspec.structs.replace(Permit(one, yes), call=other)


def test_a_release_is_for_the_reply_that_was_judged() -> None:
    good, other = Reply(call(), b'{"content":[]}'), Reply(call(), b'{"content":[1]}')
    yes = decide(good.digest, YES)
    assert Release(good, yes).said is good
    with pytest.raises(NotPermitted, match="other-call"):
        Release(other, yes)
    with pytest.raises(NotPermitted, match="denied"):
        Release(good, decide(good.digest, NO))


def test_a_permit_for_the_call_releases_no_reply() -> None:
    reply = Reply(call(), b'{"content":[]}')
    with pytest.raises(NotPermitted):
        Release(reply, decide(reply.call.digest, YES))
