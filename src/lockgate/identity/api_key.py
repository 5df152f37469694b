"""Lockgate's own API keys, sent as ``Authorization: Bearer`` (RFC 6750, 2.1).

A key reads ``lgp_<id>_<secret><checksum>`` (``lgs_`` for services): an id of 12 base32 characters
that is public, 32 random bytes in base64url, and a CRC-32 of all before it. The checksum proves
nothing; it tells a mistyped key from a wrong one, and lets secret scanners recognise a key offline.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from lockgate.identity.refusal import AuthRefusal
from lockgate.model import KeyRecord, Principal
from lockgate.model.key import KeyKind

_PREFIX: dict[KeyKind, str] = {"personal": "lgp", "service": "lgs"}
_KIND: dict[str, KeyKind] = {prefix: kind for kind, prefix in _PREFIX.items()}
_PERSON: dict[KeyKind, Literal["person", "service"]] = {"personal": "person", "service": "service"}
_KEY = re.compile(r"(lg[ps])_([a-z2-7]{12})_[A-Za-z0-9_-]{43}([A-Za-z0-9_-]{6})")
_SUM = 6
_NO_HASH = "0" * 64


class KeyBook(Protocol):
    """Every key record, in memory."""

    def find(self, key_id: str) -> KeyRecord | None: ...

    def fresh(self, now_ms: int) -> bool:
        """False when revocations may have been missed."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever any record does."""
        ...


class KeyText(msgspec.Struct, frozen=True):
    """A key that is spelled like one; whether it is one, only ``KeyCheck`` says."""

    kind: KeyKind
    id: str


def parse(text: str) -> KeyText | None:
    """None for anything but the exact format with a matching checksum."""
    found = _KEY.fullmatch(text)
    if found is None or found[3] != _checksum(text[:-_SUM]):
        return None
    return KeyText(_KIND[found[1]], found[2])


def looks_like_key(text: str) -> bool:
    """Whether it is meant to be one: then nobody else is asked about it."""
    return text[:4] in ("lgp_", "lgs_")


def mint(
    kind: KeyKind, pepper: bytes, random_bytes: Callable[[int], bytes]
) -> tuple[str, str, str]:
    """A new key: its public id, its text (to be shown once) and the hash to store."""
    key_id = base64.b32encode(random_bytes(8)).decode().lower()[:12]
    secret = base64.urlsafe_b64encode(random_bytes(32)).rstrip(b"=").decode()
    text = f"{_PREFIX[kind]}_{key_id}_{secret}"
    text += _checksum(text)
    return key_id, text, hash_of(text, pepper)


def hash_of(text: str, pepper: bytes) -> str:
    """HMAC-SHA256 under the deployment's pepper, in hex, over the whole text: so the secret counts
    only with its own kind and id. A slow hash adds nothing to 256 random bits."""
    return hmac.digest(pepper, b"lockgate/key/v1\0" + text.encode(), "sha256").hex()


class KeyCheck:
    """Key to principal. Not for several threads.

    ``remember``: how many accepted keys are held (by their SHA-256, never their text) until the
    book changes, so that the next call of the same client need not be checked again in full.
    """

    def __init__(self, book: KeyBook, pepper: bytes, remember: int = 4_096) -> None:
        self._book = book
        self._pepper = pepper
        self._remember = remember
        self._accepted: dict[bytes, tuple[int, Principal]] = {}
        self._version = book.version

    def check(self, text: str, now_ms: int) -> Principal | AuthRefusal:
        """``text``: what was sent as a key."""
        if not self._book.fresh(now_ms):
            return AuthRefusal("auth.unknown", "the keys were not read lately")
        if self._book.version != self._version:
            self._version = self._book.version
            self._accepted.clear()
        mark = hashlib.sha256(text.encode()).digest()
        known = self._accepted.get(mark)
        if known is not None and now_ms < known[0]:
            return known[1]
        return self._check(text, mark, now_ms)

    def _check(self, text: str, mark: bytes, now_ms: int) -> Principal | AuthRefusal:
        key = parse(text)
        if key is None:
            return AuthRefusal("auth.invalid", "not spelled like a Lockgate key")
        record = self._book.find(key.id)
        # The same work for an unknown id as for a wrong secret.
        stored = _NO_HASH if record is None else record.hash
        proved = hmac.compare_digest(hash_of(text, self._pepper), stored)
        if record is None or not proved or record.kind != key.kind:
            return AuthRefusal("auth.invalid", f"key {key.id} is unknown or its secret is wrong")
        if record.revoked:
            return AuthRefusal("auth.invalid", f"key {key.id} was revoked")
        if now_ms >= record.expires:
            return AuthRefusal("auth.invalid", f"key {key.id} has expired")
        principal = _principal(record)
        if len(self._accepted) >= self._remember:
            self._accepted.pop(next(iter(self._accepted)))
        self._accepted[mark] = (record.expires, principal)
        return principal


def _principal(record: KeyRecord) -> Principal:
    return Principal(
        kind=_PERSON[record.kind],
        subject=record.subject,
        roles=record.roles,
        agent=record.agent,
        owner=record.owner,
        authn=frozenset({"api_key"}),
        credential=record.id,
    )


def _checksum(text: str) -> str:
    crc = binascii.crc32(text.encode()).to_bytes(4, "big")
    return base64.urlsafe_b64encode(crc).rstrip(b"=").decode()
