"""An issuer says that somebody signed out there, to whichever address of ours it was given.

One word of it ends everything: what they are signed in to here, and their access tokens.
"""

import asyncio
from collections.abc import Callable, Sequence

from lockgate.identity.logout_token import LoggedOut, LogoutCheck
from lockgate.model import EventRefused, StoreDown

End = Callable[[LoggedOut, str], None]
"""Ends one kind of thing; is told the peer too. Blocks. Raises ``StoreDown`` and ``EventRefused``,
and ``NotAccepted`` for a token that was here before, where that counts."""


class Logouts:
    """``ends``: one after the other. One that can be done again comes before one that cannot, so
    that an issuer that is told to try again gets all of it done."""

    def __init__(self, check: LogoutCheck, ends: Sequence[End], now_ms: Callable[[], int]) -> None:
        self._check = check
        self._ends = ends
        self._now_ms = now_ms

    async def take(self, token: str, peer: str) -> None:
        """All is over when this returns. What can be ended is, also where the rest fails.

        Raises ``NotAccepted``, ``KeysUnknown``, ``StoreDown`` and ``EventRefused``.
        """
        said = await self._check.check(token, self._now_ms())
        failed: StoreDown | EventRefused | None = None
        for end in self._ends:
            try:
                await asyncio.to_thread(end, said, peer)
            except (StoreDown, EventRefused) as down:
                failed = failed or down
        if failed is not None:
            raise failed
