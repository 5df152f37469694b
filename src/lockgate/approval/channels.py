"""Where approvers are told that a question waits. Nothing is ever answered there."""

from typing import Literal

import msgspec

MailTls = Literal["starttls", "tls", "none"]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Some fields are secrets, so none but the name is ever shown."""

    name: str
    factors: frozenset[str] = frozenset()
    """For questions that take a yes for any of these; empty: for all."""
    names: bool = False
    """Whether it is told who asks."""
    gap: int = 0
    """Milliseconds from one message to the next: what comes meanwhile goes out together."""
    broken: str = ""
    """Why nothing can be sent: a secret cannot be had."""
    ca_file: str = ""
    """Certificates (PEM) to believe besides the system's."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Webhook(Channel, frozen=True, kw_only=True):
    """Another program, which can check that the message is ours and whole."""

    url: str
    secrets: tuple[str, ...] = ()
    """``whsec_`` and base64 (Standard Webhooks); two while one replaces the other."""
    internal: bool = False
    """It may be at an address of a private network."""


class Slack(Channel, frozen=True, kw_only=True):
    """An incoming webhook of Slack, or of what understands the same."""

    url: str
    """A secret as a whole."""
    internal: bool = False


class Email(Channel, frozen=True, kw_only=True):
    host: str
    port: int
    tls: MailTls
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: str = ""


AnyChannel = Webhook | Slack | Email


class NotTaken(Exception):
    """A message was not taken. The text is for operators: it holds no secret, no address of a
    person, and nothing of what was sent. ``final``: another try would fare no better; ``wait``:
    milliseconds that the other side asks for."""

    def __init__(self, why: str, *, final: bool = False, wait: int = 0) -> None:
        super().__init__(why)
        self.final = final
        self.wait = wait
