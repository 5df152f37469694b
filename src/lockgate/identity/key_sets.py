"""The public keys of issuers (RFC 7517), fetched, rotated, and never trusted for too long."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from joserfc.jwk import Key, KeySet

from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import NotAccepted, Unverified, public_key, verify
from lockgate.identity.metadata import Metadata
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

REFRESH_SECONDS = 600.0
"""After this a key set is fetched again, while the old one still counts."""
STALE_SECONDS = 24 * 3_600.0
"""After this an issuer that could not be reached has no keys any more."""
LEAST_SECONDS = 10.0
"""Between two fetches for one issuer, whatever key ids are sent: nobody can make us flood it."""

_LIMITS = Limits(bytes=2**18, depth=8)


class KeysUnknown(Exception):
    """It cannot be said which keys the issuer has."""


class Files(Protocol):
    def __call__(self, path: str) -> bytes:
        """Raises ``OSError``."""
        ...


class _Held:
    def __init__(self) -> None:
        self.keys: KeySet | None = None
        self.read = 0.0
        """When they were: seconds of the clock."""
        self.tried = 0.0
        self.failure = ""
        self.reading: asyncio.Task[None] | None = None


class KeySets:
    """``clock``: seconds that only grow. One fetch at a time for each issuer."""

    def __init__(
        self, fetch: Fetch, files: Files, metadata: Metadata, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._files = files
        self._metadata = metadata
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def find(self, issuer: Issuer, key_id: str) -> Key | None:
        """None where the issuer has no such key. Without an id the issuer may have but one.

        Raises ``KeysUnknown``.
        """
        held = self._held.setdefault(issuer.url, _Held())
        now = self._clock()
        if held.keys is None or now - held.read > STALE_SECONDS:
            await self._read(issuer, held)
        elif now - held.read > REFRESH_SECONDS:
            self._begin(issuer, held)  # nobody waits: the old ones are good enough
        found = self._of(held, key_id)
        if found is None:
            await self._read(issuer, held)  # it may have been added since
            found = self._of(held, key_id)
        return found

    async def verify(self, token: Unverified, issuer: Issuer) -> None:
        """This issuer signed it, by one of its algorithms. Raises ``NotAccepted``, and
        ``KeysUnknown`` where nobody can say."""
        key = await self.find(issuer, token.key_id)
        if key is None:
            raise NotAccepted(f"{issuer.name} has no such key")
        verify(token, key, issuer.algorithms)

    def forget(self) -> None:
        """Issuers may have changed."""
        self._held.clear()
        self._metadata.forget()

    def _of(self, held: _Held, key_id: str) -> Key | None:
        if held.keys is None or self._clock() - held.read > STALE_SECONDS:
            raise KeysUnknown(held.failure or "the issuer's keys were not read lately")
        usable = [key for key in held.keys.keys if key.get("use") in (None, "sig")]
        if not key_id:
            return usable[0] if len(usable) == 1 else None
        return next((key for key in usable if key.get("kid") == key_id), None)

    def _begin(self, issuer: Issuer, held: _Held) -> "asyncio.Task[None]":
        now = self._clock()
        if held.reading is None or (held.reading.done() and now - held.tried >= LEAST_SECONDS):
            held.tried = now
            held.reading = asyncio.ensure_future(self._load(issuer, held))
        return held.reading

    async def _read(self, issuer: Issuer, held: _Held) -> None:
        # Whoever gives up must not take the others' answer with him.
        await asyncio.shield(self._begin(issuer, held))

    async def _load(self, issuer: Issuer, held: _Held) -> None:
        try:
            raw = await self._raw(issuer)
            held.keys = _key_set(raw)
            held.read = self._clock()
            held.failure = ""
        except (FetchFailed, KeysUnknown, OSError) as failure:
            held.failure = f"the keys of {issuer.name} cannot be read: {failure}"

    async def _raw(self, issuer: Issuer) -> bytes:
        if issuer.keys_file:
            return await asyncio.to_thread(self._files, issuer.keys_file)
        url = issuer.keys_url or await self._metadata.keys_url(issuer)
        answer = await self._fetch("GET", url, {"accept": "application/json"}, b"")
        if answer.status != 200:
            raise KeysUnknown(f"HTTP status {answer.status}")
        return answer.body


def _key_set(raw: bytes) -> KeySet:
    """Keys of kinds that are not known here are left out; one bad entry harms no other."""
    try:
        found = check(raw, _LIMITS)
    except WireRefusal as refused:
        raise KeysUnknown(f"no JSON: {refused.reason}") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise KeysUnknown("no key set")
    keys = [key for one in listed if (key := public_key(one)) is not None]
    if not keys:
        raise KeysUnknown("it has no key that can be used")
    return KeySet(keys)
