"""Accounts that people connected: who has which, and ending it."""

from collections.abc import Sequence
from typing import Literal, Protocol

from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Account

State = Literal["connected", "broken"]
Revoked = Literal["done", "not asked", "not offered", "failed"]


class AccountStore(Protocol):
    """All raise ``StoreDown``."""

    def list(self) -> Sequence[Account]:
        """Without their secrets."""
        ...

    def disconnect_now(self, principal: str, upstream: str = "") -> int: ...


class ConnectedAccounts:
    def __init__(self, store: AccountStore, acting: Acting) -> None:
        self._store = store
        self._acting = acting

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
        about = {"action": "account.disconnect", "target": one.upstream, "issuer": one.issuer,
                 "revoked": revoked}  # fmt: skip
        whose = {"subject": one.principal}
        self._acting.record(self._acting.event(about, whose, at=self._acting.now_ms()))
        self._store.disconnect_now(one.principal, one.upstream)


def state_of(account: Account) -> State:
    return "broken" if account.broken else "connected"
