"""Lockgate's own API keys, sent as ``Authorization: Bearer`` (RFC 6750, 2.1).

A key reads ``lgp_<id>_<secret><checksum>`` (``lgs_`` for services): an id of 12 base32 characters
that is public, 32 random bytes in base64url, and a CRC-32 of all before it. The checksum proves
nothing; it tells a mistyped key from a wrong one, and lets secret scanners recognise a key offline.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import re
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from lockgate.identity.key_uses import KeyUses
from lockgate.identity.networks import Network, inside, network_in
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.wrong_keys import WrongKeys
from lockgate.model import KeyRecord, Principal
from lockgate.model.key import KeyKind

log = logging.getLogger("lockgate.identity")

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


class _Accepted(msgspec.Struct, frozen=True, gc=False):
    """What a key was good for when it was last checked in full."""

    version: int
    """Of the book."""
    expires: int
    networks: tuple[Network, ...]
    principal: Principal


class KeyCheck:
    """Key to principal. Not for several threads.

    ``remember``: how many accepted keys are held (by their SHA-256, never their text), so that the
    next call of the same client need not be checked in full until the book changes. A key that was
    accepted here before is never throttled: nobody but its holder can send it again.
    """

    def __init__(
        self,
        book: KeyBook,
        pepper: bytes,
        uses: KeyUses | None = None,
        remember: int = 4_096,
    ) -> None:
        self._book = book
        self._pepper = pepper
        self._uses = uses or KeyUses()
        self._remember = remember
        self._accepted: dict[bytes, _Accepted] = {}
        self._wrong = WrongKeys()

    def check(self, text: str, peer: str, now_ms: int) -> Principal | AuthRefusal:
        """``text``: what was sent as a key; ``peer``: the address it came from."""
        if not self._book.fresh(now_ms):
            return AuthRefusal("auth.unknown", "the keys were not read lately")
        mark = hashlib.sha256(text.encode()).digest()
        known = self._accepted.get(mark)
        if known is not None and known.networks and not inside(peer, known.networks):
            known = None
        if known is None or known.version != self._book.version or now_ms >= known.expires:
            checked = self._checked(text, mark, peer, now_ms, throttled=known is None)
            if isinstance(checked, AuthRefusal):
                return checked
            known = checked
        self._uses.note(known.principal.credential, now_ms)
        return known.principal

    def later(self, key_id: str, peer: str, now_ms: int) -> Principal | AuthRefusal:
        """Who the key ``key_id`` would prove now, sent from ``peer``: for whoever was let in with
        it. Nothing is remembered or counted."""
        if not self._book.fresh(now_ms):
            return AuthRefusal("auth.unknown", "the keys were not read lately")
        record = self._book.find(key_id)
        if record is None:
            return AuthRefusal("auth.invalid", f"key {key_id} is gone")
        wrong = _spent(record, now_ms) or _misplaced(record, peer)
        return AuthRefusal("auth.invalid", wrong) if wrong else _principal(record)

    def _checked(
        self, text: str, mark: bytes, peer: str, now_ms: int, *, throttled: bool
    ) -> _Accepted | AuthRefusal:
        key = parse(text)
        key_id = key.id if key else ""
        record = self._book.find(key_id) if key else None
        flooding = throttled and self._wrong.peer_spent(peer, now_ms)
        # Of an address that floods only ids that exist are looked at any further: a right key that
        # is new here still gets in, and a wrong one hears the same whether its id exists or not.
        waiting = throttled and self._wrong.key_spent(peer, key_id, now_ms)
        if waiting or (flooding and record is None):
            return AuthRefusal("auth.throttled", f"too many wrong keys from {peer}")
        wrong = self._wrong_with(text, key, record, peer, now_ms)
        if wrong or record is None:
            self._accepted.pop(mark, None)
            self._wrong.add(peer, key_id, now_ms)
            return AuthRefusal("auth.throttled" if flooding else "auth.invalid", wrong)
        return self._accept(record, mark)

    def _wrong_with(
        self, text: str, key: KeyText | None, record: KeyRecord | None, peer: str, now_ms: int
    ) -> str:
        """Which check failed, for operators; empty where none did."""
        if key is None:
            return "not spelled like a Lockgate key"
        # The same work for an unknown id as for a wrong secret.
        stored = _NO_HASH if record is None else record.hash
        proved = hmac.compare_digest(hash_of(text, self._pepper), stored)
        if record is None or not proved or record.kind != key.kind:
            return f"key {key.id} is unknown or its secret is wrong"
        spent, misplaced = _spent(record, now_ms), _misplaced(record, peer)
        if misplaced and not spent:
            # Whoever sent it has the secret: somebody should know. The allowance for wrong keys
            # keeps this from filling the log.
            log.warning("%s", misplaced)
        return spent or misplaced

    def _accept(self, record: KeyRecord, mark: bytes) -> _Accepted:
        found = _Accepted(self._book.version, record.expires, _networks(record), _principal(record))
        self._accepted.pop(mark, None)
        if len(self._accepted) >= self._remember:
            del self._accepted[next(iter(self._accepted))]
        self._accepted[mark] = found
        return found


def _spent(record: KeyRecord, now_ms: int) -> str:
    if record.revoked:
        return f"key {record.id} was revoked"
    return f"key {record.id} has expired" if now_ms >= record.expires else ""


def _misplaced(record: KeyRecord, peer: str) -> str:
    if not record.networks or inside(peer, _networks(record)):
        return ""
    return f"key {record.id} may not be used from {peer or 'an unknown address'}"


def _networks(record: KeyRecord) -> tuple[Network, ...]:
    return tuple(map(network_in, record.networks))


def _principal(record: KeyRecord) -> Principal:
    return Principal(
        kind=_PERSON[record.kind],
        subject=record.subject,
        roles=record.roles,
        agent=record.agent,
        owner=record.owner,
        authn=frozenset({"api_key"}),
        credential=record.id,
        scopes=record.scopes,
    )


def _checksum(text: str) -> str:
    crc = binascii.crc32(text.encode()).to_bytes(4, "big")
    return base64.urlsafe_b64encode(crc).rstrip(b"=").decode()
