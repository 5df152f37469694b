"""Browser sessions that end because their person signed out at the identity provider."""

import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.control_plane.services.acting import Actor, EventAppender
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.logout_token import LoggedOut
from lockgate.model import AuditEvent


class EndingStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def end_of(self, identity: str, sid: str, token: str, forget: int, now: int) -> int | None: ...


class SessionsEnd:
    """Satisfies ``services.logouts.End``. ``issuer``: URL of where administrators sign in."""

    def __init__(
        self,
        issuer: str,
        store: EndingStore,
        events: EventAppender,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._events = events
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def __call__(self, said: LoggedOut, peer: str) -> None:
        """A token that names a person ends all of their sessions, also where it names one session
        besides; each token once, or it would end those that were begun since. What ends is over
        before it is on record: ending is never held up by the journal."""
        if said.issuer.url != self._issuer:
            return
        identity = f"oidc:{said.sub}" if said.sub else ""
        once = f"jti:{hashlib.sha256(said.token_id.encode()).hexdigest()}"
        now = self._now_ms()
        count = self._store.end_of(identity, said.session, once, said.forget, now)
        if count is None:
            raise NotAccepted("this logout token was here before")
        actor = Actor(identity or f"sid:{said.session}", "console")
        event = AuditEvent(
            id=self._random_bytes(16).hex(), call="", kind="session.closed", at=now,
            effect="permit", reason="session.closed",
            header={"action": "console.logged-out", "sessions": count},
            slots={"actor": actor.told(), "net": msgspec.json.encode({"peer": peer})},
        )  # fmt: skip
        self._events.append((event,))
