"""Accounts that people connected: who has which, and ending it."""

import json
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from lockgate.audit.ports import EventStore
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Account, AuditEvent

State = Literal["connected", "broken"]
Revoked = Literal["done", "not asked", "not offered", "failed"]


class AccountStore(Protocol):
    """All raise ``StoreDown``."""

    def list(self) -> Sequence[Account]:
        """Without their secrets."""
        ...

    def disconnect_now(self, principal: str, upstream: str = "") -> int: ...


class ConnectedAccounts:
    def __init__(
        self,
        store: AccountStore,
        events: EventStore,
        actor: str,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        via: str = "cli",
    ) -> None:
        self._store = store
        self._via = via
        self._events = events
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def list(self, principal: str = "", upstream: str = "") -> tuple[Account, ...]:
        return tuple(
            one
            for one in self._store.list()
            if principal in ("", one.principal) and upstream in ("", one.upstream)
        )

    def disconnect(self, principal: str, upstream: str = "") -> tuple[Account, ...]:
        """The tokens are destroyed here; whoever gave them is not told.

        Raises ``Refused`` where there is nothing to disconnect.
        """
        found = self.list(principal, upstream)
        if not found:
            at = f" at {upstream}" if upstream else ""
            raise Refused(
                f"{principal} has no account{at}.", "`lockgate accounts list` names them."
            )
        for one in found:
            self.end(one, "not asked")
        return found

    def end(self, one: Account, revoked: Revoked) -> None:
        """``revoked``: what the server that gave its tokens said to ending them. On record first.
        Blocks; raises ``StoreDown`` and ``EventRefused``."""
        self._journal(one, revoked)
        self._store.disconnect_now(one.principal, one.upstream)

    def _journal(self, one: Account, revoked: Revoked) -> None:
        event = AuditEvent(
            id=self._random_bytes(16).hex(),
            call="",
            kind="admin.changed",
            at=self._now_ms(),
            effect="permit",
            reason="admin.changed",
            header={"action": "account.disconnect", "target": one.upstream, "issuer": one.issuer,
                    "revoked": revoked},
            slots={
                "actor": json.dumps({"account": self._actor, "via": self._via}).encode(),
                "subject": json.dumps({"subject": one.principal}).encode(),
            },
        )  # fmt: skip
        self._events.append((event,))


def state_of(account: Account) -> State:
    return "broken" if account.broken else "connected"
