"""Administrators' roles: asked for, given, ended."""

import threading
from collections.abc import Mapping
from typing import Any, cast

import orjson
from sqlalchemy import Engine, Row, insert, select, update

from lockgate.model import StoreDown
from lockgate.model.privilege import AdminRole, Privilege
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import bump, version_of
from lockgate.store.tables import privilege

TOPIC = "privilege"


class StoredPrivileges:
    """Blocks. Everything raises ``StoreDown``; adding an id twice does so too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, asked: Privilege) -> None:
        with store_errors("cannot record the request"), writing(self._engine) as connection:
            connection.execute(insert(privilege).values(**_row(asked)))
            bump(connection, TOPIC)

    def replace(self, changed: Privilege) -> bool:
        """False where the row is not of the version before: somebody else changed it first."""
        before = (privilege.c.id == changed.id) & (privilege.c.version == changed.version - 1)
        query = update(privilege).where(before).values(**_row(changed))
        with store_errors("cannot change the role"), writing(self._engine) as connection:
            done = connection.execute(query).rowcount
            if done:
                bump(connection, TOPIC)
        return done > 0

    def list(self) -> tuple[Privilege, ...]:
        """All, also what is over, oldest first."""
        query = select(privilege).order_by(privilege.c.asked, privilege.c.id)
        with store_errors("cannot read the roles"), reading(self._engine) as connection:
            return tuple(_privilege(row) for row in connection.execute(query))

    def changed(self, since: int) -> tuple[int, Mapping[str, Privilege]] | None:
        """For ``feed.Snapshot``."""
        with store_errors("cannot read the roles"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            if version == since:
                return None
            found = (_privilege(row) for row in connection.execute(select(privilege)))
            return version, {one.id: one for one in found}


class MemoryPrivileges:
    """The same contract without a database."""

    def __init__(self) -> None:
        self._rows: dict[str, Privilege] = {}
        self._version = 0
        self._lock = threading.Lock()

    def add(self, asked: Privilege) -> None:
        with self._lock:
            if asked.id in self._rows:
                raise StoreDown("cannot record the request: its id is taken")
            self._rows[asked.id] = asked
            self._version += 1

    def replace(self, changed: Privilege) -> bool:
        """False where the row is not of the version before: somebody else changed it first."""
        with self._lock:
            found = self._rows.get(changed.id)
            if found is None or found.version != changed.version - 1:
                return False
            self._rows[changed.id] = changed
            self._version += 1
            return True

    def list(self) -> tuple[Privilege, ...]:
        """All, also what is over, oldest first."""
        return tuple(sorted(self._rows.values(), key=lambda p: (p.asked, p.id)))

    def changed(self, since: int) -> tuple[int, Mapping[str, Privilege]] | None:
        with self._lock:
            return None if since == self._version else (self._version, dict(self._rows))


def _row(one: Privilege) -> dict[str, Any]:
    return {
        "id": one.id, "role": one.role, "holder": one.holder, "reason": one.reason,
        "asked": one.asked, "lasts": one.lasts, "expires": one.expires,
        "granted_by": orjson.dumps(one.granted_by).decode(), "granted": one.granted,
        "ended": one.ended, "ended_by": one.ended_by, "version": one.version,
    }  # fmt: skip


def _privilege(row: Row[Any]) -> Privilege:
    return Privilege(
        id=row.id, role=cast("AdminRole", row.role), holder=row.holder, reason=row.reason,
        asked=row.asked, lasts=row.lasts, expires=row.expires,
        granted_by=tuple(orjson.loads(row.granted_by)), granted=row.granted,
        ended=row.ended, ended_by=row.ended_by, version=row.version,
    )  # fmt: skip
