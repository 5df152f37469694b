"""Browser sessions of the console, and what may be used once."""

import threading
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from lockgate.model.console import ConsoleSession
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.tables import console_session, used_once


class StoredConsoleSessions:
    """Blocks. Everything raises ``StoreDown``. Nothing is cached: what one worker ends is over for
    all at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, opened: ConsoleSession, now: int, instead_of: str = "") -> bool:
        """Keep it. ``instead_of``: hash of the session it takes the place of; False, and nothing is
        kept, where that one is not there any more."""
        old = delete(console_session).where(console_session.c.hash == instead_of)
        over = delete(console_session).where(console_session.c.expires <= now)
        with store_errors("cannot keep the session"), writing(self._engine) as connection:
            connection.execute(over)
            if instead_of and not connection.execute(old).rowcount:
                return False
            connection.execute(insert(console_session).values(**msgspec.structs.asdict(opened)))
        return True

    def find(self, hashed: str) -> ConsoleSession | None:
        query = select(console_session).where(console_session.c.hash == hashed)
        with store_errors("cannot read the session"), reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _session(row)

    def touch(self, hashed: str, seen: int) -> None:
        mark = update(console_session).where(console_session.c.hash == hashed).values(seen=seen)
        with store_errors("cannot keep the session"), writing(self._engine) as connection:
            connection.execute(mark)

    def end(self, hashed: str) -> bool:
        """False where there was none."""
        query = delete(console_session).where(console_session.c.hash == hashed)
        with store_errors("cannot end the session"), writing(self._engine) as connection:
            return connection.execute(query).rowcount > 0

    def end_of(self, identity: str, sid: str, token: str, forget: int, now: int) -> int | None:
        """End all of a person, or where ``identity`` is empty, those of ``sid``. How many there
        were; None, and nothing ends, where the same ``token`` was here before."""
        person = console_session.c.identity == identity
        wanted = person if identity else console_session.c.sid == sid
        with store_errors("cannot end the sessions"), writing(self._engine) as connection:
            if not _first(connection, token, forget, now):
                return None
            return connection.execute(delete(console_session).where(wanted)).rowcount

    def once(self, thing: str, forget: int, now: int) -> bool:
        """False where the same ``thing`` was here before. It is remembered until ``forget``."""
        with store_errors("cannot keep what was used"), writing(self._engine) as connection:
            return _first(connection, thing, forget, now)


class MemoryConsoleSessions:
    """The same contract without a database."""

    def __init__(self) -> None:
        self._rows: dict[str, ConsoleSession] = {}
        self._once: dict[str, int] = {}
        self._lock = threading.Lock()

    def put(self, opened: ConsoleSession, now: int, instead_of: str = "") -> bool:
        """Keep it. ``instead_of``: hash of the session it takes the place of; False, and nothing is
        kept, where that one is not there any more."""
        with self._lock:
            self._rows = {h: s for h, s in self._rows.items() if s.expires > now}
            if instead_of and self._rows.pop(instead_of, None) is None:
                return False
            self._rows[opened.hash] = opened
            return True

    def find(self, hashed: str) -> ConsoleSession | None:
        return self._rows.get(hashed)

    def touch(self, hashed: str, seen: int) -> None:
        with self._lock:
            if hashed in self._rows:
                found = self._rows[hashed]
                self._rows[hashed] = msgspec.structs.replace(found, seen=seen)

    def end(self, hashed: str) -> bool:
        """False where there was none."""
        with self._lock:
            return self._rows.pop(hashed, None) is not None

    def end_of(self, identity: str, sid: str, token: str, forget: int, now: int) -> int | None:
        """End all of a person, or where ``identity`` is empty, those of ``sid``. How many there
        were; None, and nothing ends, where the same ``token`` was here before."""
        if not self.once(token, forget, now):
            return None
        with self._lock:
            before = len(self._rows)
            self._rows = {
                hashed: found
                for hashed, found in self._rows.items()
                if (found.identity != identity if identity else found.sid != sid)
            }
            return before - len(self._rows)

    def once(self, thing: str, forget: int, now: int) -> bool:
        """False where the same ``thing`` was here before. It is remembered until ``forget``."""
        with self._lock:
            self._once = {t: e for t, e in self._once.items() if e > now}
            if thing in self._once:
                return False
            self._once[thing] = forget
            return True


def _first(connection: Connection, thing: str, forget: int, now: int) -> bool:
    connection.execute(delete(used_once).where(used_once.c.expires <= now))
    row = insert_into(connection, used_once).values(id=thing, expires=forget)
    kept = row.on_conflict_do_nothing().returning(used_once.c.id)
    return connection.scalars(kept).one_or_none() is not None


def _session(row: Row[Any]) -> ConsoleSession:
    return ConsoleSession(**{name: getattr(row, name) for name in ConsoleSession.__struct_fields__})
