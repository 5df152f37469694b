"""Channels as tests configure them, and a receiver that believes nothing."""

import base64
from typing import Any, cast

from standardwebhooks import Webhook as Verifier

from lockgate.approval.channels import Email, Slack, Webhook
from support.paper_server import Asked, PaperServer

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 32).decode()


def webhook(server: PaperServer, **changes: Any) -> Webhook:
    given = {"name": "ops", "url": f"{server.url}/hook", "secrets": (SECRET,), **changes}
    return Webhook(**given)


def slack(server: PaperServer, **changes: Any) -> Slack:
    return Slack(**{"name": "chat", "url": f"{server.url}/services/T0/B0/x-secret-x", **changes})


def email(port: int, **changes: Any) -> Email:
    given: dict[str, Any] = {
        "name": "mail", "host": "127.0.0.1", "port": port, "tls": "none",
        "sender": "lockgate@clinic.example", "to": ("dora@clinic.example",),
    }  # fmt: skip
    return Email(**{**given, **changes})


def verified(asked: Asked, secret: str = SECRET) -> dict[str, Any]:
    """The content, once the reference implementation has taken the signature. Raises its
    ``WebhookVerificationError``."""
    return cast("dict[str, Any]", Verifier(secret).verify(asked.body, dict(asked.headers)))
