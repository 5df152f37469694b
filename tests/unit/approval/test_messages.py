import json
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.approval.channels import Channel
from lockgate.approval.messages import (
    MOST_NAMED,
    Message,
    email_of,
    inert,
    slack_body,
    webhook_body,
)
from lockgate.model.inquiry import Need
from support.channels import email
from support.inquiries import inquiry

CONSOLE = "https://gate.example.org"
QUIET, TELLING = Channel(name="c"), Channel(name="c", names=True)


def message(*ids: str, **changes: Any) -> Message:
    found = tuple(inquiry(id, needs=(Need("owner"), Need("security"))) for id in ids or ("q1",))
    given: dict[str, Any] = {"id": "m1", "kind": "asked", "at": 1_000, "questions": found,
                             "origin": CONSOLE}  # fmt: skip
    return Message(**{**given, **changes})


def test_a_webhook_is_told_what_waits_and_where_to_look() -> None:
    assert json.loads(webhook_body(message(), QUIET)) == {
        "type": "approval.asked",
        "timestamp": "1970-01-01T00:00:01+00:00",
        "data": {"questions": [{
            "id": "q1", "kind": "call", "title": "clinic/delete_patient", "state": "pending",
            "factors": ["owner", "security"], "asked": "1970-01-01T00:00:01+00:00",
            "expires": "1970-01-01T00:00:01+00:00",
            "link": "https://gate.example.org/console/approvals/q1",
        }]},
    }  # fmt: skip


def test_who_asks_is_told_only_where_it_is_wanted() -> None:
    for body in (webhook_body, slack_body):
        assert b"alice" not in body(message(), QUIET)
        assert b"alice" in body(message(), TELLING)
    assert "alice" not in email_of(message(), email(25)).as_string()
    assert "alice" in email_of(message(), email(25, names=True)).as_string()


def test_no_argument_is_ever_told() -> None:
    one = inquiry(tool={"upstream": "clinic", "target": "x", "entity /patient_id": "p-1"})
    told = message(questions=(one,))
    for said in (webhook_body(told, TELLING), slack_body(told, TELLING)):
        assert b"p-1" not in said
    assert "p-1" not in email_of(told, email(25, names=True)).as_string()


def test_a_program_is_told_how_it_ended() -> None:
    one = inquiry(state="denied", reason="approval.denied")
    told = json.loads(webhook_body(message(questions=(one,), kind="decided"), QUIET))
    assert told["type"] == "approval.decided"
    assert told["data"]["questions"][0]["state"] == "denied"
    assert told["data"]["questions"][0]["reason"] == "approval.denied"


def test_without_a_console_it_says_which_command_shows_it() -> None:
    told = message(origin="")
    assert b'"command":"lockgate approvals show q1"' in webhook_body(told, QUIET)
    assert "lockgate approvals show q1" in json.loads(slack_body(told, QUIET))["text"]
    assert len(json.loads(slack_body(told, QUIET))["blocks"]) == 1
    assert "See: lockgate approvals show q1" in email_of(told, email(25)).get_content()
    several = message("q1", "q2", origin="")
    assert "lockgate approvals list" in email_of(several, email(25)).get_content()


def test_slack_has_a_link_and_nothing_to_answer_with() -> None:
    body = json.loads(slack_body(message(), QUIET))
    section, actions = body["blocks"]
    assert section["text"]["type"] == "plain_text"
    assert body["mrkdwn"] is False
    (button,) = actions["elements"]
    assert button["url"] == f"{CONSOLE}/console/approvals/q1"
    assert not {"action_id", "value"} & set(button)


def test_several_are_one_message() -> None:
    told = message("q1", "q2", "q3")
    body = json.loads(slack_body(told, QUIET))
    assert body["text"].startswith("3 questions wait for a yes\n")
    assert body["blocks"][1]["elements"][0]["url"] == f"{CONSOLE}/console/approvals"
    assert email_of(told, email(25))["Subject"] == "Lockgate: 3 questions wait for a yes"


def test_of_very_many_only_some_are_named() -> None:
    told = message(*(f"q{n}" for n in range(MOST_NAMED + 2)))
    assert "... and 2 more" in email_of(told, email(25)).get_content()
    assert len(json.loads(webhook_body(told, QUIET))["data"]["questions"]) == MOST_NAMED + 2


def test_a_mail_says_that_a_program_wrote_it() -> None:
    mail = email_of(message(), email(25, to=("dora@clinic.example", "erin@clinic.example")))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "Lockgate <lockgate@clinic.example>"
    assert mail["To"] == "dora@clinic.example, erin@clinic.example"
    assert mail["Message-ID"] == "<m1@clinic.example>"
    assert mail.get_content_type() == "text/plain"
    assert "https://gate.example.org/console/approvals/q1" in mail.get_content()


def test_a_test_says_that_it_is_one() -> None:
    told = message(questions=())
    assert json.loads(webhook_body(told, QUIET))["type"] == "approval.test"
    assert email_of(told, email(25))["Subject"] == "Lockgate: This is a test"


@pytest.mark.parametrize("name", ["&" * 200, "\x00" * 200, "." * 200, "x" * 200])
def test_slack_takes_it_however_long_names_are(name: str) -> None:
    many = tuple(inquiry(str(n), title=name, holder=name, agent=name) for n in range(20))
    for questions in (many, many[:1]):
        body = json.loads(slack_body(message(questions=questions), TELLING))
        assert 0 < len(body["blocks"][0]["text"]["text"]) < 3_000
        assert "asked by" in body["text"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clinic/read", "clinic/read"),
        ("a\r\nBcc: x", "a\\u{000d}\\u{000a}Bcc:\N{WORD JOINER} x"),
        ("evil.example", "evil.\N{WORD JOINER}example"),
        ("\u202egpj", "\\u{202e}gpj"),
        ("@channel", "@\N{WORD JOINER}channel"),
        ("x" * 500, "x" * 120 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_names_do_nothing_where_they_are_shown(name: str, shown: str) -> None:
    assert inert(name) == shown


@pytest.mark.parametrize("word", ["=0D=0ABcc=3A_eve=40example=2Eorg", "=00", "=E2=80=AEhttp=3A//x"])
def test_no_name_is_decoded_into_something_else_by_a_mail_program(word: str) -> None:
    """Encoded words (RFC 2047) would say unseen what is otherwise shown escaped."""
    (one,) = message("q1").questions
    named = replace(one, title=f"clinic/ =?utf-8?q?{word}?= x")
    raw = email_of(message(questions=(named,)), email(25)).as_bytes()
    subject = str(message_from_bytes(raw, policy=default)["Subject"])
    assert word.partition("=")[2][:2] in subject
    assert not [c for c in subject if c != "\u2060" and not c.isprintable()]
