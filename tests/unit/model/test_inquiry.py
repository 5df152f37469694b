import pytest

from lockgate.model.inquiry import FAILED_MS, Delegation, plainly
from support.inquiries import AT, approved, inquiry


@pytest.mark.parametrize("state", ["pending", "approved"])
def test_what_nobody_answers_or_uses_in_time_has_expired(state: str) -> None:
    one = inquiry(state=state)
    assert one.at(one.expires - 1) == one
    assert (one.at(one.expires).state, one.at(one.expires).ended) == ("expired", one.expires)


@pytest.mark.parametrize("state", ["denied", "used", "succeeded"])
def test_what_is_over_stays_so(state: str) -> None:
    assert inquiry(state=state).at(10**15).state == state


def test_what_failed_is_told_for_a_minute_and_can_be_asked_anew() -> None:
    failed = inquiry(state="failed", ended=AT, kept_until=AT + 10**7)
    assert failed.stands(AT + FAILED_MS - 1)
    assert not failed.stands(AT + FAILED_MS)
    assert inquiry(state="denied", kept_until=AT + 10**7).stands(AT + FAILED_MS)


def test_a_header_holds_no_names() -> None:
    said = str(plainly(approved()))
    assert "alice" not in said
    assert "desk-agent" not in said


def test_a_delegation_lasts_from_its_start_to_its_end() -> None:
    one = Delegation("d", "os:a", "os:b", AT, AT + 10)
    assert [one.active(at) for at in (AT - 1, AT, AT + 9, AT + 10)] == [False, True, True, False]
    assert not Delegation("d", "os:a", "os:b", AT, AT + 10, revoked=AT).active(AT)
