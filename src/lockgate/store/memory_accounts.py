"""Connected accounts without a database: the same contract, for tests and for trying things out."""

from collections.abc import Callable, Sequence

import msgspec

from lockgate.model import Account


class MemoryAccounts:
    """See ``StoredAccounts``."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, str], Account] = {}
        self._leased: dict[tuple[str, str], int] = {}
        self._used: dict[str, int] = {}

    async def get(self, principal: str, upstream: str) -> Account | None:
        return self._accounts.get((principal, upstream))

    async def put(self, one: Account) -> None:
        key = (one.principal, one.upstream)
        before = self._accounts.get(key)
        version = before.version + 1 if before else self._clock()
        self._accounts[key] = msgspec.structs.replace(one, version=version)
        self._leased[key] = 0

    async def lease(self, one: Account, until: int) -> bool:
        key = (one.principal, one.upstream)
        if not self._is_current(one) or self._leased[key] > self._clock():
            return False
        self._leased[key] = until
        return True

    async def release(self, one: Account) -> None:
        if self._is_current(one):
            self._leased[one.principal, one.upstream] = 0

    async def renew(self, one: Account) -> bool:
        if not self._is_current(one):
            return False
        key = (one.principal, one.upstream)
        self._accounts[key] = msgspec.structs.replace(one, version=one.version + 1)
        self._leased[key] = 0
        return True

    async def disconnect(self, principal: str, upstream: str = "") -> int:
        return self.disconnect_now(principal, upstream)

    async def use_once(self, token: str, expires: int) -> bool:
        self._used = {name: end for name, end in self._used.items() if end > self._clock()}
        if token in self._used:
            return False
        self._used[token] = expires
        return True

    def list(self) -> Sequence[Account]:
        shown = [msgspec.structs.replace(one, secret=b"") for one in self._accounts.values()]
        return sorted(shown, key=lambda one: (one.principal, one.upstream))

    def disconnect_now(self, principal: str, upstream: str = "") -> int:
        gone = [k for k in self._accounts if k[0] == principal and upstream in ("", k[1])]
        for key in gone:
            del self._accounts[key]
        return len(gone)

    def _is_current(self, one: Account) -> bool:
        now = self._accounts.get((one.principal, one.upstream))
        return now is not None and now.version == one.version
