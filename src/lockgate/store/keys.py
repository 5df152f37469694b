"""API keys in the database: everything but the keys themselves."""

from collections.abc import Mapping
from typing import Any, cast

import orjson
from sqlalchemy import Engine, Row, bindparam, insert, select, update

from lockgate.model import KeyRecord
from lockgate.model.key import KeyKind
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import bump, version_of
from lockgate.store.tables import api_key

TOPIC = "api_key"


class StoredKeys:
    """Blocks. Everything raises ``StoreDown``; adding an id twice does so too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, record: KeyRecord) -> None:
        with store_errors("cannot add the key"), writing(self._engine) as connection:
            connection.execute(insert(api_key).values(**_row(record)))
            bump(connection, TOPIC)

    def revoke(self, key_id: str, at: int) -> bool:
        """False where there is no such key, or it was revoked before."""
        wanted = (api_key.c.id == key_id) & (api_key.c.revoked == 0)
        with store_errors("cannot revoke the key"), writing(self._engine) as connection:
            done = connection.execute(update(api_key).where(wanted).values(revoked=at)).rowcount
            if done:
                bump(connection, TOPIC)
        return done > 0

    def rotate(self, key_id: str, successor: KeyRecord, expires: int) -> bool:
        """Add ``successor`` and let the key end at ``expires``, both or neither. False where the
        key is not there, was revoked, has a successor or would end sooner."""
        wanted = (api_key.c.id == key_id) & (api_key.c.revoked == 0) & (api_key.c.successor == "")
        wanted &= api_key.c.expires >= expires
        change = update(api_key).where(wanted).values(successor=successor.id, expires=expires)
        with store_errors("cannot rotate the key"), writing(self._engine) as connection:
            done = connection.execute(change).rowcount > 0
            if done:
                connection.execute(insert(api_key).values(**_row(successor)))
                bump(connection, TOPIC)
        return done

    def note_used(self, uses: Mapping[str, int]) -> None:
        """``uses``: when each was last accepted. What is written already and newer stays. No change
        that anybody must read: the version stays too."""
        wanted = (api_key.c.id == bindparam("key")) & (api_key.c.used < bindparam("at"))
        change = update(api_key).where(wanted).values(used=bindparam("at"))
        rows = [{"key": key_id, "at": at} for key_id, at in uses.items()]
        with store_errors("cannot note which keys are used"), writing(self._engine) as connection:
            if rows:
                connection.execute(change, rows)

    def list(self) -> tuple[KeyRecord, ...]:
        """All, also the revoked and expired, oldest first."""
        query = select(api_key).order_by(api_key.c.created, api_key.c.id)
        with store_errors("cannot read the keys"), reading(self._engine) as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def changed(self, since: int) -> tuple[int, Mapping[str, KeyRecord]] | None:
        with store_errors("cannot read the keys"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            if version == since:
                return None
            found = (_record(row) for row in connection.execute(select(api_key)))
            return version, {record.id: record for record in found}


def _row(record: KeyRecord) -> dict[str, Any]:
    return {
        "id": record.id, "kind": record.kind, "owner": record.owner, "subject": record.subject,
        "roles": orjson.dumps(sorted(record.roles)).decode(), "agent": record.agent,
        "hash": record.hash, "created": record.created, "expires": record.expires,
        "revoked": record.revoked, "scopes": orjson.dumps(sorted(record.scopes)).decode(),
        "networks": orjson.dumps(record.networks).decode(), "successor": record.successor,
        "used": record.used,
    }  # fmt: skip


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        id=row.id, kind=cast("KeyKind", row.kind), owner=row.owner, subject=row.subject,
        roles=frozenset(orjson.loads(row.roles)), agent=row.agent, hash=row.hash,
        created=row.created, expires=row.expires, revoked=row.revoked,
        scopes=frozenset(orjson.loads(row.scopes)), networks=tuple(orjson.loads(row.networks)),
        successor=row.successor, used=row.used,
    )  # fmt: skip
