"""Tokens and subjects that count no more, in every worker within two seconds."""

from collections.abc import Mapping

from sqlalchemy import Engine, Row, delete, func, select

from lockgate.model.revocation import Revocation
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import STALE_MS, Snapshot, bump, version_of
from lockgate.store.tables import revocation

TOPIC = "revocation"

_Rows = Mapping[tuple[str, str, str], Revocation]


class StoredRevocations:
    """Blocks, but for what only reads the copy in memory. Everything else raises ``StoreDown``."""

    def __init__(self, engine: Engine, stale_ms: int = STALE_MS) -> None:
        self._engine = engine
        self._snapshot: Snapshot[_Rows] = Snapshot(self, {}, stale_ms)

    def add(self, one: Revocation) -> None:
        """Durable on return. Of two about the same the later counts. What is over is forgotten."""
        row = {
            "kind": one.kind, "issuer": one.issuer, "value": one.value, "before": one.before,
            "expires": one.expires,
        }  # fmt: skip
        with store_errors("cannot revoke"), writing(self._engine) as writer:
            writer.execute(delete(revocation).where(revocation.c.expires <= one.before))
            put = insert_into(writer, revocation).values(**row)
            later = {
                name: func.greatest(revocation.c[name], row[name])
                if writer.dialect.name == "postgresql"
                else func.max(revocation.c[name], row[name])
                for name in ("before", "expires")
            }
            keys = ["kind", "issuer", "value"]
            writer.execute(put.on_conflict_do_update(index_elements=keys, set_=later))
            bump(writer, TOPIC)

    def list(self) -> tuple[Revocation, ...]:
        """The newest first."""
        query = select(revocation).order_by(revocation.c.before.desc(), revocation.c.value)
        with store_errors("cannot read revocations"), reading(self._engine) as reader:
            return tuple(map(_one, reader.execute(query)))

    def refresh(self, now_ms: int) -> None:
        """Call every 0.5 s."""
        self._snapshot.refresh(now_ms)

    def changed(self, since: int) -> tuple[int, _Rows] | None:
        with store_errors("cannot read revocations"), reading(self._engine) as reader:
            version = version_of(reader, TOPIC)
            if version == since:
                return None
            found = map(_one, reader.execute(select(revocation)))
            return version, {(one.kind, one.issuer, one.value): one for one in found}

    # From memory.

    def find(self, kind: str, issuer: str, value: str) -> Revocation | None:
        return self._snapshot.rows.get((kind, issuer, value))

    def fresh(self, now_ms: int) -> bool:
        return self._snapshot.fresh(now_ms)

    @property
    def version(self) -> int:
        return self._snapshot.version


class MemoryRevocations:
    """The same contract without a database."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Revocation] = {}
        self.version = 0

    def add(self, one: Revocation) -> None:
        self._rows = {key: row for key, row in self._rows.items() if row.expires > one.before}
        key = one.kind, one.issuer, one.value
        before = self._rows.get(key, one)
        self._rows[key] = Revocation(
            *key, max(one.before, before.before), max(one.expires, before.expires)
        )
        self.version += 1

    def list(self) -> tuple[Revocation, ...]:
        return tuple(sorted(self._rows.values(), key=lambda one: (-one.before, one.value)))

    def refresh(self, now_ms: int) -> None:
        """Nothing to do: there is no other copy."""

    def find(self, kind: str, issuer: str, value: str) -> Revocation | None:
        return self._rows.get((kind, issuer, value))

    def fresh(self, now_ms: int) -> bool:  # noqa: ARG002
        return True


def _one(row: Row[tuple[object, ...]]) -> Revocation:
    return Revocation(row.kind, row.issuer, row.value, row.before, row.expires)
