"""The access tokens that people were last let in with, for those who exchange them (RFC 8693)."""

import msgspec

from lockgate.identity.access_token import Accepted

MOST = 4_096
"""People. Who was let in longest ago is forgotten first."""


class Presented(msgspec.Struct, frozen=True):
    text: str
    accepted: Accepted

    def __repr__(self) -> str:
        return f"Presented(issuer={self.accepted.issuer!r})"


class PresentedTokens:
    """In memory only, and only while somebody wants them. None goes to an upstream from here."""

    def __init__(self) -> None:
        self._held: dict[str, Presented] = {}
        self._wanted = False

    def want(self, wanted: bool) -> None:
        """Whether any upstream needs tokens exchanged; where none does, all are forgotten."""
        self._wanted = wanted
        if not wanted:
            self._held.clear()

    def note(self, holder: str, token: Presented) -> None:
        """``holder`` was let in with it just now."""
        if not self._wanted:
            return
        self._held.pop(holder, None)
        if len(self._held) >= MOST:
            del self._held[next(iter(self._held))]
        self._held[holder] = token

    def forget(self, holder: str) -> None:
        self._held.pop(holder, None)

    def of(self, holder: str, now: float) -> Presented | None:
        """The newest of this principal, while it is valid."""
        found = self._held.get(holder)
        return found if found is not None and now < found.accepted.expires else None
