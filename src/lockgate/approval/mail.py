"""Handing a mail to a mail server (RFC 5321), over TLS unless it is this machine. Blocks."""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from lockgate.approval.channels import Email, NotTaken

SECONDS = 10.0
"""For each answer of the server."""
LONGEST_SECONDS = 60.0
"""For all of them: shorter than a lease, or another worker would send the same again; and no thread
is kept for ever by a server that answers one byte at a time."""


def hand_over(mail: EmailMessage, channel: Email, longest: float = LONGEST_SECONDS) -> None:
    """Raises ``NotTaken``, also where only some of the recipients were refused and so nobody can
    say that all were told: it is then final, so that the others are told once."""
    try:
        server = _connected(channel)
        with _in_time(server, longest), server:
            if channel.user:
                server.login(channel.user, channel.password)
            refused = server.send_message(mail, channel.sender, list(channel.to))
    except smtplib.SMTPResponseException as answer:
        final = 500 <= answer.smtp_code < 600
        raise NotTaken(f"the mail server answered {answer.smtp_code}", final=final) from None
    except smtplib.SMTPRecipientsRefused as answer:
        codes = {code for code, _ in answer.recipients.values()}
        said = ", ".join(map(str, sorted(codes)))
        final = all(code >= 500 for code in codes)
        raise NotTaken(f"the mail server refused all recipients ({said})", final=final) from None
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        raise NotTaken(f"the mail server cannot be used: {type(failure).__name__}") from None
    if refused:
        raise NotTaken(f"{len(refused)} of {len(channel.to)} recipients were refused", final=True)


@contextmanager
def _in_time(server: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """Hangs up then: whatever waits for the server gets an error."""
    late = threading.Timer(seconds, _hang_up, (server.sock,))
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it is over already
        connection.shutdown(socket.SHUT_RDWR)


def _connected(channel: Email) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if channel.ca_file:
        context.load_verify_locations(channel.ca_file)
    if channel.tls == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(channel.host, channel.port, timeout=SECONDS)
    try:
        if channel.tls == "starttls":
            server.starttls(context=context)
    except (smtplib.SMTPException, OSError):
        server.close()
        raise
    return server
