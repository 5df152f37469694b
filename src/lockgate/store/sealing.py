"""Small values that travel through a client: it can neither read nor change them."""

import base64
import binascii
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def key_for(purpose: str, sealing_key: bytes) -> bytes:
    """A key of its own for what is kept, derived from the deployment's (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(sealing_key)


class AesGcmSealer:
    """Satisfies ``pipeline.ports.Sealer``: AES-GCM (NIST SP 800-38D), random 96-bit nonces.

    A token is base64url without padding of version, nonce, ciphertext and tag. One key is good for
    2**32 tokens (SP 800-38D 8.3). Raises ``ValueError`` for a key that is not 16, 24 or 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, purpose: str, value: bytes) -> str:
        nonce = os.urandom(_NONCE)
        sealed = _VERSION + nonce + self._aead.encrypt(nonce, value, _bound(purpose))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, purpose: str, token: str) -> bytes | None:
        sealed = _decoded(token)
        if sealed is None or len(sealed) < 1 + _NONCE + _TAG or sealed[:1] != _VERSION:
            return None
        try:
            return self._aead.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _bound(purpose))
        except InvalidTag:
            return None


def _bound(purpose: str) -> bytes:
    return b"lockgate/seal/v1\0" + purpose.encode()


def _decoded(token: str) -> bytes | None:
    """Exactly one spelling of each value is accepted (RFC 4648, 3.5: the last bits are zero)."""
    if not _TOKEN.fullmatch(token):
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == token else None
