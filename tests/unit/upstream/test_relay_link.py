"""What goes between two workers. What the links do is in ``contract/test_links.py``."""

import pytest

from lockgate.model import Envelope, SendFailed, Terms
from lockgate.upstream.link import Peer
from lockgate.upstream.relay_link import (
    Outcome,
    Question,
    Where,
    Wish,
    encode,
    outcome_of,
    read_peer,
    read_question,
    read_where,
    read_wish,
)

WHERE = Where("shop", "f", Terms("person:alice", "legacy", b'{"roots":{}}', "s"))
WISH = Wish(WHERE, "host.0", 3, "tools/call", b'{"a":1}', Envelope("legacy", progress=True), True)


def test_everything_arrives_as_it_was_sent() -> None:
    question = Question(3, "roots/list", b"{}", "legacy")
    peer = Peer("legacy", "2025-11-25", b"{}", b"{}", "be good")
    assert read_where(encode(WHERE)) == WHERE
    assert read_wish(encode(WISH)) == WISH
    assert read_question(encode(question)) == question
    assert read_peer(encode(peer)) == peer
    assert outcome_of(encode(Outcome(b"{}", is_error=True))) == Outcome(b"{}", is_error=True)


def test_a_failure_there_is_one_here() -> None:
    with pytest.raises(SendFailed) as failed:
        outcome_of(encode(Outcome(reason="upstream.timeout", detail="1 s")))
    assert (failed.value.reason, failed.value.detail) == ("upstream.timeout", "1 s")


def test_a_token_that_is_lent_is_never_shown() -> None:
    lent = Where("shop", "f", Terms("person:alice"), "s3cret", 9)
    assert "s3cret" not in repr(lent)
    assert "s3cret" not in repr(Wish(lent, "host.0", 3, "m", b"{}", Envelope("legacy"), True))
    assert read_where(encode(lent)) == lent


def test_how_the_caller_can_help_arrives_too() -> None:
    with pytest.raises(SendFailed) as failed:
        outcome_of(encode(Outcome(reason="upstream.connect", told="Open <link>")))
    assert failed.value.told == "Open <link>"
