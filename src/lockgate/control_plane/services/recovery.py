"""The recovery admin: a code printed on the gateway's own machine, for once and for minutes.

It is how the very first administrator gives somebody a role, and how one gets in when the identity
provider is down. Whoever may make a code can read the deployment's secrets and write its database:
it gives them nothing they could not take, but it leaves a trace.
"""

import base64
import hmac
import logging
from collections.abc import Callable
from typing import Literal, Protocol

from lockgate.control_plane.services.acting import Actor, EventAppender
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent
from lockgate.model.privilege import RECOVERY, RecoveryCode

log = logging.getLogger("lockgate.recovery")

VALID_MS = 15 * 60_000
"""From making a code to using it."""
_BYTES = 15
"""120 random bits: 24 letters and digits."""
_GROUP = 4


class RecoveryStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def put(self, code: RecoveryCode) -> None:
        """From now on only this one counts."""
        ...

    def use(self, hashed: str, source: str, now: int) -> Literal["right", "wrong", "throttled"]:
        """Looked at and used up in one step. ``source``: what is throttled together."""
        ...


class Recovery:
    """``actor``: who makes or types the code."""

    def __init__(
        self,
        store: RecoveryStore,
        events: EventAppender,
        pepper: bytes,
        actor: Actor,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._events = events
        self._pepper = pepper
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def make(self) -> str:
        """A new code, to be shown once; codes made before are void. Raises ``StoreDown``."""
        plain = base64.b32encode(self._random_bytes(_BYTES)).decode()
        now = self._now_ms()
        self._journal("recovery.make", now, "permit")
        hashed = hash_of(plain, self._pepper)
        self._store.put(RecoveryCode(hashed, self._actor.account, now + VALID_MS))
        return "-".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))

    def use(self, text: str) -> Actor:
        """Who acts from now on. Raises ``Refused``, the same for every code that is not good, and
        ``StoreDown``."""
        now = self._now_ms()
        found = self._store.use(hash_of(text, self._pepper), self._actor.via, now)
        if found == "throttled":  # wrong ones are on record already; a flood must not fill it
            raise Refused("Too many wrong codes.", "Wait a quarter of an hour.")
        self._journal(f"recovery.{'use' if found == 'right' else 'refuse'}", now,
                      "permit" if found == "right" else "deny")  # fmt: skip
        if found == "wrong":
            raise Refused("The code is not good: wrong, used or too old.",
                          "Make one with `lockgate admin recover`.")  # fmt: skip
        return Actor(RECOVERY, self._actor.via, self._actor.account)

    def _journal(self, action: str, now: int, effect: str) -> None:
        log.warning("%s by %s %s", action, self._actor.via, self._actor.account)
        event = AuditEvent(
            id=self._random_bytes(16).hex(),
            call="",
            kind="admin.changed",
            at=now,
            effect=effect,
            reason="admin.recovery",
            header={"action": action, "target": RECOVERY},
            slots={"actor": self._actor.told()},
        )
        self._events.append((event,))


def hash_of(text: str, pepper: bytes) -> str:
    """HMAC-SHA256 under the deployment's pepper, in hex. Letter case, spaces and dashes do not
    count: people type it. A slow hash adds nothing to 120 random bits."""
    plain = "".join(c for c in text.upper() if c.isalnum())
    return hmac.digest(pepper, b"lockgate/recovery/v1\0" + plain.encode(), "sha256").hex()
