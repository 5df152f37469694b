"""What is said of a call that waits."""

import orjson
import pytest

from lockgate.wire.held import action_in, handle_of, moment, task_of, url_question
from support.inquiries import AT, inquiry


def test_a_handle_names_the_question_and_nobody() -> None:
    found = handle_of(inquiry(), "https://gate.example.org")
    assert found.said == {
        "handle": "q1", "state": "pending", "expires_at": "1970-01-01T00:00:01Z",
        "page": "https://gate.example.org/console/approvals/q1",
    }  # fmt: skip
    assert "alice" not in str(found.said)


@pytest.mark.parametrize(
    ("state", "begins"),
    [
        ("pending", "This needs approval by a person and waits for it until 1970-01-01T00:00:01Z:"),
        ("approved", "This was approved by a person and may run until 1970-01-01T00:00:01Z:"),
        ("used", "This was approved by a person and is running:"),
    ],
)
def test_one_sentence(state: str, begins: str) -> None:
    found = handle_of(inquiry(state=state))
    assert found.sentence.startswith(begins)
    assert found.sentence.endswith(
        "tell the user, then call lockgate_result with the handle q1 or call again with "
        "identical arguments."
    )
    assert found.waits


@pytest.mark.parametrize(
    "state", ["denied", "vetoed", "expired", "cancelled", "succeeded", "failed"]
)
def test_what_is_over_waits_for_nothing(state: str) -> None:
    found = handle_of(inquiry(state=state))
    assert not found.waits
    assert found.said == {"handle": "q1", "state": state}


def test_the_page_is_asked_for_by_url() -> None:
    found = orjson.loads(url_question(handle_of(inquiry(), "https://gate.example.org")))
    assert found.keys() == {"mode", "url", "message"}


@pytest.mark.parametrize(
    ("raw", "action"),
    [
        (None, ""),
        (b"{}", ""),
        (b'{"other":{"action":"accept"}}', ""),
        (b'{"lockgate/approval":null}', ""),
        (b'{"lockgate/approval":{"action":{"approve":true}}}', ""),
        (b'{"lockgate/approval":{"action":"decline","content":{"approve":true}}}', "decline"),
    ],
)
def test_only_the_action_is_read(raw: bytes | None, action: str) -> None:
    assert action_in(raw) == action


def test_a_task_says_when_it_changed_last() -> None:
    one = inquiry(state="approved", decided=AT + 60_000)
    found = task_of(one, handle_of(one), "working")
    assert found["lastUpdatedAt"] == moment(AT + 60_000)
    assert found["statusMessage"] == "approved, running"
