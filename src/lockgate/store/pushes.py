"""Being told of changes by PostgreSQL (LISTEN, NOTIFY) instead of asking. SQLite tells nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from lockgate.model import StoreDown
from lockgate.store.failing import cause_of
from lockgate.store.feed import CHANNEL


class Pushes:
    """One connection that listens to the feed. For one thread.

    Copies are also refreshed without it: it only makes them know sooner.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._driver: Any = None

    def wait(self, seconds: float) -> frozenset[str]:
        """Topics that changed; empty when none did for so long. Blocks.

        The first after (re)connecting does not know what was missed: it names ``""``.
        Raises ``StoreDown`` where the connection is lost; the next call makes a new one.
        """
        with self._troubles():
            if self._driver is None:
                self._listen()
                return frozenset({""})
            told = self._driver.notifies(timeout=seconds, stop_after=1)
            return frozenset(note.payload for note in told)

    def close(self) -> None:
        lost, self._driver = self._driver, None
        if lost is not None:
            lost.close()

    def _listen(self) -> None:
        pooled = self._engine.raw_connection()
        pooled.detach()  # the pool gives it to nobody else
        self._driver = pooled.dbapi_connection
        self._driver.autocommit = True
        self._driver.execute(f"LISTEN {CHANNEL}")

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except self._engine.dialect.loaded_dbapi.Error as error:
            self.close()
            raise StoreDown(f"not told of changes: {cause_of(error)}") from error


def pushes_of(engine: Engine) -> Pushes | None:
    """None where the database tells nobody."""
    return Pushes(engine) if engine.dialect.name == "postgresql" else None
