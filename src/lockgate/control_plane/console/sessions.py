"""Sessions of browsers: made, recognised, given a new id; and the forms that belong to one."""

import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.model.console import ConsoleSession

MINUTE_MS = 60_000
IDLE_MS = 15 * MINUTE_MS
"""Without a request for this long it is over."""
ABSOLUTE_MS = 8 * 60 * MINUTE_MS
"""After signing in, whatever happens."""
RECOVERY_MS = 15 * MINUTE_MS
"""The same for the recovery admin."""
_ID_BYTES = 32


class SessionStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def put(self, opened: ConsoleSession, now: int, instead_of: str = "") -> bool: ...

    def find(self, hashed: str) -> ConsoleSession | None: ...

    def touch(self, hashed: str, seen: int) -> None: ...

    def end(self, hashed: str) -> bool: ...

    def once(self, thing: str, forget: int, now: int) -> bool: ...


class Sealer(Protocol):
    def seal(self, purpose: str, value: bytes) -> str: ...

    def open(self, purpose: str, token: str) -> bytes | None: ...


class Sessions:
    """Everything that is a cookie here was sealed by this deployment: an id that a browser was made
    to bring along from elsewhere is never one of ours."""

    def __init__(
        self,
        store: SessionStore,
        sealer: Sealer,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.store = store
        self.sealer = sealer
        self.now_ms = now_ms
        self.random_bytes = random_bytes

    def open(
        self,
        identity: str,
        name: str,
        sid: str,
        lasts: int,
        subject: str = "",
        *,
        anew: bool = False,
    ) -> tuple[str, ConsoleSession]:
        """Always under a new id. What goes into the cookie, and the session. ``subject``: see
        ``subject_in``; ``anew``: the person has just proved who they are."""
        now = self.now_ms()
        cookie, hashed = self._new_id(subject)
        opened = ConsoleSession(hashed, identity, name, sid, "", now, now, now + lasts,
                                now if anew else 0)  # fmt: skip
        self.store.put(opened, now)
        return cookie, opened

    def recognise(self, cookie: str, *, touch: bool = True) -> ConsoleSession | None:
        """None for what is not ours, ended, idle for too long, or too old. ``touch``: it counts as
        a request of the person."""
        opened = self.sealer.open(_COOKIE, cookie)
        found = self.store.find(_hash(opened)) if opened is not None else None
        if found is None:
            return None
        now = self.now_ms()
        if now >= found.expires or now - found.seen >= IDLE_MS:
            self.store.end(found.hash)
            return None
        if touch and now - found.seen >= MINUTE_MS:
            self.store.touch(found.hash, now)
        return found

    def subject_in(self, cookie: str) -> str:
        """As policy names the person. Empty for whoever is no person there, and for what is not
        ours; whether the session is still open says ``recognise``."""
        opened = self.sealer.open(_COOKIE, cookie) or b""
        return opened[_ID_BYTES:].decode()

    def renew(
        self, old: ConsoleSession, roles: str, subject: str = ""
    ) -> tuple[str, ConsoleSession] | None:
        """The same session under a new id, because what it may do has changed. None where it is
        over meanwhile."""
        now = self.now_ms()
        cookie, hashed = self._new_id(subject)
        renewed = msgspec.structs.replace(old, hash=hashed, roles=roles, seen=now)
        return (cookie, renewed) if self.store.put(renewed, now, old.hash) else None

    def form_token(self, session: str, action: str) -> str:
        """For one kind of form of one session (its hash). Only this deployment can make it."""
        return self.sealer.seal(f"console/form/{session}{action}", b"")

    def fits(self, session: str, action: str, token: str) -> bool:
        return self.sealer.open(f"console/form/{session}{action}", token) is not None

    def _new_id(self, subject: str) -> tuple[str, str]:
        plain = self.random_bytes(_ID_BYTES) + subject.encode()
        return self.sealer.seal(_COOKIE, plain), _hash(plain)


_COOKIE = "console/session"


def _hash(plain: bytes) -> str:
    """A slow hash adds nothing to 256 random bits."""
    return hashlib.sha256(plain).hexdigest()
