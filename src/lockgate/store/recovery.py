"""One-time codes of the recovery admin. Only a keyed hash is kept, and only one code at a time."""

import threading
from typing import Literal

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from lockgate.model.privilege import RecoveryCode
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.tables import recovery_code, recovery_try

TRIES = 5
"""Wrong codes from one source within ``WINDOW_MS``; then that source is not listened to."""
WINDOW_MS = 15 * 60_000

Tried = Literal["right", "wrong", "throttled"]


class StoredRecovery:
    """Blocks. Everything raises ``StoreDown``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, code: RecoveryCode) -> None:
        """From now on only this one counts."""
        with store_errors("cannot keep the code"), writing(self._engine) as connection:
            connection.execute(delete(recovery_code))
            connection.execute(insert(recovery_code).values(**msgspec.structs.asdict(code)))

    def use(self, hashed: str, source: str, now: int) -> Tried:
        """Looked at and used up in one step. ``source``: what is throttled together; whoever is
        takes no turn at writing, which the journal needs."""
        live = (recovery_code.c.hash == hashed) & (recovery_code.c.used == 0)
        mark = update(recovery_code).where(live, recovery_code.c.expires > now).values(used=now)
        with store_errors("cannot look at the code"):
            with reading(self._engine) as connection:
                if _is_throttled(connection, source, now):
                    return "throttled"
            with writing(self._engine) as connection:
                connection.execute(delete(recovery_try).where(recovery_try.c.at <= now - WINDOW_MS))
                if _is_throttled(connection, source, now):
                    return "throttled"
                if connection.execute(mark).rowcount:
                    return "right"
                connection.execute(insert(recovery_try).values(source=source, at=now))
        return "wrong"

    def list(self) -> tuple[RecoveryCode, ...]:
        with store_errors("cannot read the codes"), reading(self._engine) as connection:
            rows = connection.execute(select(recovery_code)).all()
        return tuple(RecoveryCode(r.hash, r.made_by, r.expires, r.used) for r in rows)


class MemoryRecovery:
    """The same contract without a database."""

    def __init__(self) -> None:
        self._code: RecoveryCode | None = None
        self._wrong: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def put(self, code: RecoveryCode) -> None:
        """From now on only this one counts."""
        self._code = code

    def use(self, hashed: str, source: str, now: int) -> Tried:
        """Looked at and used up in one step. ``source``: what is throttled together."""
        with self._lock:
            self._wrong = [(s, at) for s, at in self._wrong if at > now - WINDOW_MS]
            if sum(s == source for s, _ in self._wrong) >= TRIES:
                return "throttled"
            code = self._code
            if code and code.hash == hashed and not code.used and code.expires > now:
                self._code = msgspec.structs.replace(code, used=now)
                return "right"
            self._wrong.append((source, now))
            return "wrong"

    def list(self) -> tuple[RecoveryCode, ...]:
        return (self._code,) if self._code else ()


def _is_throttled(connection: Connection, source: str, now: int) -> bool:
    recent = (recovery_try.c.source == source) & (recovery_try.c.at > now - WINDOW_MS)
    return (connection.scalar(select(func.count()).where(recent)) or 0) >= TRIES
