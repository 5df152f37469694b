"""Keeps what the gateway knows of secrets current, and takes changed ones into use."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from lockgate.app.stamps import now_ms
from lockgate.model.reference import LOCAL, Place, Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretBackend
from lockgate.store.secret_backends.cache import SecretCache
from lockgate.store.secret_ledger import StoredSecretLedger

log = logging.getLogger("lockgate.secrets")

LOOK_SECONDS = 1.0
LOCAL_SECONDS = 10.0
"""How often files are read anew, and new versions are noted."""
_AT_ONCE = 4
"""Backends asked at the same time: one that is slow does not make the others wait."""


class SecretWatch:
    """``renew`` takes what changed into use; it is called on the event loop and never blocks."""

    def __init__(
        self,
        cache: SecretCache,
        backends: Mapping[Place, SecretBackend],
        ledger: StoredSecretLedger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._backends = backends
        self._ledger = ledger
        self._clock = clock
        self._local_at = 0.0
        self._said: dict[Reference, str] = {}
        self._unnoted: dict[Reference, Secret] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lockgate-secrets")
        self.renew: Callable[[], None] = _nothing

    async def first(self, references: Iterable[Reference]) -> None:
        """Read all of them, or learn why they cannot be read."""
        self._cache.keep(references)
        await self._refresh()

    async def look(self) -> None:
        """Raises ``StoreDown``: what was read is noted when it is read again then. Raises what a
        backend raised by a defect, when all others were read and taken into use."""
        defects, local = await self._refresh(), self._clock() >= self._local_at
        if defects is None and not local:
            return
        self.renew()
        if local:
            self._local_at = self._clock() + LOCAL_SECONDS
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._note, local)
        if defects:
            raise defects[0]

    async def hurry(self) -> None:
        """Another worker knows another secret: look now, though not again within seconds."""
        self._cache.hurry()
        await self._refresh()
        self.renew()

    async def close(self) -> None:
        """Returns when no thread asks a backend any more."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _refresh(self) -> list[BaseException] | None:
        """What backends raised that they may not raise. None: nothing was due."""
        due = self._cache.due()
        loop = asyncio.get_running_loop()
        asked = (loop.run_in_executor(self._threads, self._cache.refresh, one) for one in due)
        found = await asyncio.gather(*asked, return_exceptions=True)
        self._say(self._cache.failing())
        read = zip(due, found, strict=True)
        self._unnoted |= {one: secret for one, secret in read if isinstance(secret, Secret)}
        return [one for one in found if isinstance(one, BaseException)] if due else None

    def _say(self, failing: dict[Reference, str]) -> None:
        """Each failure once, and its end."""
        for one, why in failing.items():
            if self._said.get(one) != why:
                log.error("a secret cannot be read: %s", why)
        for one in self._said.keys() - failing.keys():
            log.warning("%s can be read again", one)
        self._said = failing

    def _note(self, local: bool) -> None:
        """Only what was read just now: somebody else may have noted a newer version since then."""
        found, self._unnoted = self._unnoted, {}
        for one in self._cache.wanted if local else ():
            if one.place in LOCAL:
                with suppress(ReferenceBroken):  # whoever uses it is withheld, and says why
                    found[one] = self._backends[one.place].read(one)
        self._ledger.observe(found, now_ms())


def _nothing() -> None:
    """Nobody uses secrets yet."""
