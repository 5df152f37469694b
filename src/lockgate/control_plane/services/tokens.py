"""Access tokens of issuers: revoked here, whatever their issuer says. Journalled first."""

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from lockgate.control_plane.services.acting import Actor, EventAppender
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent
from lockgate.model.revocation import Revocation, RevocationKind

DAY_MS = 86_400_000
KEPT_DAYS = 1
"""Access tokens live no longer than a day; after that there is nothing left to revoke."""
_LONGEST = 1_024


class RevocationStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def add(self, one: Revocation) -> None: ...

    def list(self) -> tuple[Revocation, ...]:
        """The newest first."""
        ...


class Tokens:
    """``issuers``: URL by the name that the configuration gives it. ``actor``: who asks for it."""

    def __init__(
        self,
        store: RevocationStore,
        events: EventAppender,
        issuers: Mapping[str, str],
        actor: Actor,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._events = events
        self._issuers = issuers
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def list(self) -> tuple[Revocation, ...]:
        return self._store.list()

    def revoke(self, issuer: str, kind: RevocationKind, value: str) -> Revocation:
        """All that was issued until now. Raises ``Refused`` for an issuer that is not known."""
        url = self._issuers.get(issuer)
        if url is None:
            known = ", ".join(sorted(self._issuers)) or "none"
            raise Refused(f"There is no issuer {issuer}.", f"The configuration has: {known}.")
        if not value or len(value) > _LONGEST or not value.isprintable():
            raise Refused(f"A {kind} is plain text of at most {_LONGEST} characters.")
        now = self._now_ms()
        one = Revocation(kind, url, value, now, now + KEPT_DAYS * DAY_MS)
        self.add(one)
        return one

    def add(self, one: Revocation) -> None:
        """Raises ``StoreDown``; then nothing was revoked."""
        about = json.dumps({"kind": one.kind, "value": one.value}).encode()
        event = AuditEvent(
            id=self._random_bytes(16).hex(), call="", kind="admin.changed", at=self._now_ms(),
            effect="permit", reason="admin.changed",
            header={"action": "token.revoke", "target": one.issuer, "kind": one.kind},
            slots={"actor": self._actor.told(), "subject": about},
        )  # fmt: skip
        self._events.append((event,))
        self._store.add(one)
