"""Signatures of webhooks, after Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes of a secret."""


class SecretUnfit(Exception):
    """Not ``whsec_`` and base64 of enough bytes."""


def signed(id: str, seconds: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers. ``seconds`` since the Unix epoch, of this try; each secret adds a signature, so
    that receivers can change theirs at any time between. Raises ``SecretUnfit``."""
    said = b"%s.%d.%s" % (id.encode(), seconds, body)
    marks = (hmac.new(_key(secret), said, hashlib.sha256).digest() for secret in secrets)
    signatures = (f"v1,{base64.b64encode(mark).decode()}" for mark in marks)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST:
        raise SecretUnfit(f"the secret is not {PREFIX} and base64 of {SHORTEST} bytes or more")
    return key
