"""A real mail server (aiosmtpd) on this machine, and what it was given."""

from asyncio import Server
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ssl import SSLContext
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

PASSWORD = "correct-horse"


class AnyPort(Controller):
    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class MailServer:
    """``refused``: recipients that it does not know; ``answer``: what it says to a whole mail."""

    def __init__(self) -> None:
        self.given: list[Envelope] = []
        self.users: list[bytes] = []
        self.refused: set[str] = set()
        self.answer = "250 OK"
        self.port = 0

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(cast("bytes", one.content), policy=default)
                for one in self.given]  # fmt: skip

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.given.append(envelope)
        return self.answer

    def sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any
    ) -> AuthResult:
        self.users.append(data.login)
        known = data.password == PASSWORD.encode()
        return AuthResult(success=known, handled=known)


@contextmanager
def running_mail_server(
    tls: SSLContext | None = None, *, at_once: bool = False, signed_in: bool = False
) -> Iterator[MailServer]:
    """In a thread of its own. ``tls``: offered by STARTTLS, and then demanded; or ``at_once``."""
    handler = MailServer()
    more: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if tls else {}
    if at_once:
        more = {"ssl_context": tls}
    if signed_in:
        more |= {"authenticator": handler.sign_in, "auth_required": True}
    controller = AnyPort(handler, hostname="127.0.0.1", port=0, **more)
    controller.start()
    try:
        handler.port = controller.port
        yield handler
    finally:
        controller.stop()
