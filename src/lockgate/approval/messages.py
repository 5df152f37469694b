"""What approvers are told: which questions wait, until when, and where to look. Never arguments,
and no way to answer: whoever reads a message may not be whom it was meant for."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import msgspec
import orjson

from lockgate.approval.channels import Channel, Email
from lockgate.model.inquiry import Inquiry
from lockgate.model.notification import NotificationKind
from lockgate.model.unseen import unseen

PAGE = "/console/approvals"
MOST_NAMED = 10
"""Of many questions, that people are told by name."""
_LONGEST_NAME = 120
_LONGEST_TEXT = 2_900
"""Slack takes 3000 characters in a block of text."""
_JOINER = "\N{WORD JOINER}"

_SAID: dict[NotificationKind, str] = {
    "asked": "waits for a yes",
    "escalated": "still waits, and is yours to answer too",
    "expiring": "is about to expire",
    "decided": "was answered",
}
_ALL_SAID: dict[NotificationKind, str] = {
    "asked": "questions wait for a yes",
    "escalated": "questions still wait, and are yours to answer too",
    "expiring": "questions are about to expire",
    "decided": "questions were answered",
}


class Message(msgspec.Struct, frozen=True):
    """One step of one or more questions."""

    id: str
    """The same at every try."""
    kind: NotificationKind
    at: int
    """When the first of them took it. Milliseconds since the Unix epoch."""
    questions: tuple[Inquiry, ...]
    """As they are now. Empty: a test."""
    origin: str = ""
    """Where browsers reach the console; empty: there is none."""


def webhook_body(message: Message, channel: Channel) -> bytes:
    """JSON of the form that Standard Webhooks proposes."""
    told = [_plain(one, message, names=channel.names) for one in message.questions]
    kind = f"approval.{message.kind}" if told else "approval.test"
    return orjson.dumps({"type": kind, "timestamp": _iso(message.at), "data": {"questions": told}})


def slack_body(message: Message, channel: Channel) -> bytes:
    """``text`` is what notifications show; the block says the same, with a link to the page."""
    lines = [_heading(message), *_lines(message, channel)]
    if not message.origin:
        lines.append(f"See: {_command(message)}")
    text = "\n".join(_fitting([_escaped(line) for line in lines]))
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
    ]
    if message.origin:
        label = {"type": "plain_text", "text": "Look at it", "emoji": False}
        button = {"type": "button", "text": label, "url": _link(message)}
        blocks.append({"type": "actions", "elements": [button]})
    return orjson.dumps({"text": text, "mrkdwn": False, "blocks": blocks})


def email_of(message: Message, channel: Email) -> EmailMessage:
    """Plain text. Marked as made by a program (RFC 3834), so that nobody's absence answers it."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Lockgate", addr_spec=channel.sender)
    mail["To"] = [Address(addr_spec=to) for to in channel.to]
    mail["Subject"] = f"Lockgate: {_heading(message)}"
    mail["Date"] = datetime.fromtimestamp(message.at / 1_000, UTC)
    mail["Message-ID"] = f"<{message.id}@{channel.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    where = f"Look at it: {_link(message)}" if message.origin else f"See: {_command(message)}"
    said = [_heading(message), "", *_lines(message, channel), "", where, "",
            "Nothing is answered by this mail."]  # fmt: skip
    mail.set_content("\n".join(said))
    return mail


def inert(text: str) -> str:
    """A name as mail and chat show it: on one line, nothing hidden, not too long, and no part of it
    made into a link or a mention by whatever shows it."""
    shown = ""
    for character in text:
        if len(shown) >= _LONGEST_NAME:
            return shown + "\N{HORIZONTAL ELLIPSIS}"
        shown += _inert(character)
    return shown


def _inert(character: str) -> str:
    if character != " " and unseen(character):
        return f"\\u{{{ord(character):04x}}}"
    # "=" too: with "?" behind it begins an encoded word (RFC 2047), which mail programs decode.
    return character + _JOINER if character in ".:@=" else character


def _heading(message: Message) -> str:
    if not message.questions:
        return "This is a test"
    if len(message.questions) == 1:
        one = message.questions[0]
        return f"{inert(one.title)} {_outcome(one, message.kind)}"
    return f"{len(message.questions)} {_ALL_SAID[message.kind]}"


def _outcome(one: Inquiry, kind: NotificationKind) -> str:
    return f"is {one.state}" if kind == "decided" else _SAID[kind]


def _lines(message: Message, channel: Channel) -> list[str]:
    lines = [_line(one, message.kind, channel) for one in message.questions[:MOST_NAMED]]
    left = len(message.questions) - MOST_NAMED
    return [*lines, f"... and {left} more"] if left > 0 else lines


def _line(one: Inquiry, kind: NotificationKind, channel: Channel) -> str:
    parts = [inert(one.title), "for " + ", ".join(inert(need.factor) for need in one.needs)]
    if channel.names:
        through = f" through {inert(one.agent)}" if one.agent else ""
        parts.append(f"asked by {inert(one.holder)}{through}")
    parts.append(one.state if kind == "decided" else f"until {_minute(one.expires)}")
    return ", ".join(parts)


def _plain(one: Inquiry, message: Message, *, names: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": one.id, "kind": one.kind, "title": one.title, "state": one.state,
        "factors": [need.factor for need in one.needs],
        "asked": _iso(one.created), "expires": _iso(one.expires),
    }  # fmt: skip
    if message.kind == "decided":
        told["reason"] = one.reason
    if names:
        told |= {"holder": one.holder, "agent": one.agent}
    if message.origin:
        told["link"] = f"{message.origin}{PAGE}/{one.id}"
    else:
        told["command"] = f"lockgate approvals show {one.id}"
    return told


def _link(message: Message) -> str:
    one = f"/{message.questions[0].id}" if len(message.questions) == 1 else ""
    return f"{message.origin}{PAGE}{one}"


def _command(message: Message) -> str:
    if len(message.questions) == 1:
        return f"lockgate approvals show {message.questions[0].id}"
    return "lockgate approvals list"


def _fitting(lines: list[str]) -> list[str]:
    """As many as fit, whole: of what is too long Slack shows nothing."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > _LONGEST_TEXT:
            return [*kept, "..."]
        kept.append(line)
    return kept


def _escaped(text: str) -> str:
    """Slack's three characters: without them nothing is a link, a mention or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="seconds")


def _minute(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
