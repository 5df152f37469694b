"""What was noticed of each secret: its version, since when, and how its last probe went."""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from sqlalchemy import Engine, Row, select, update

from lockgate.model.reference import Reference
from lockgate.model.secret import Secret, SecretSeen
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.tables import secret as table

_PURPOSE = b"secret version\0"
_SHOWN = 16
"""Hexadecimal digits: enough to tell versions apart, whatever they are."""


class StoredSecretLedger:
    """Blocks. Everything raises ``StoreDown``. ``pepper`` keys the fingerprints of values whose
    backend keeps no versions."""

    def __init__(self, engine: Engine, pepper: Callable[[], bytes]) -> None:
        self._engine = engine
        self._pepper = pepper

    def all(self) -> Mapping[str, SecretSeen]:
        """By reference."""
        with store_errors("cannot read what is known of secrets"), reading(self._engine) as opened:
            return {row.reference: _seen(row) for row in opened.execute(select(table))}

    def observe(self, found: Mapping[Reference, Secret], now: int) -> Mapping[str, SecretSeen]:
        """Note versions that are new; what is known of all afterwards."""
        versions = {str(one.bare): (self.version_of(one, s), s) for one, s in found.items()}
        known = self.all()
        if all(name in known and known[name].version == v for name, (v, _) in versions.items()):
            return known
        with store_errors("cannot note a secret"), writing(self._engine) as connection:
            kept = {row.reference: row.version for row in connection.execute(select(table))}
            for name, (version, secret) in versions.items():
                if kept.get(name) == version:
                    continue
                new = {"version": version, "made": secret.made, "first_seen": now,
                       "probed": 0, "probe": ""}  # fmt: skip
                statement = insert_into(connection, table).values(reference=name, **new)
                changed = statement.on_conflict_do_update(index_elements=["reference"], set_=new)
                connection.execute(changed)
        return self.all()

    def rotated(self, reference: Reference, now: int) -> None:
        """We made the version that was observed last, where its backend cannot tell when."""
        self._update(reference, {"made": now}, table.c.made == 0)

    def probed(self, reference: Reference, result: str, now: int) -> None:
        self._update(reference, {"probed": now, "probe": result})

    def version_of(self, reference: Reference, secret: Secret) -> str:
        """The backend's name for it, or else a keyed fingerprint, which says nothing of it."""
        if secret.version:
            return secret.version
        text = f"{reference.bare}\0{secret.value}".encode()
        digest = hmac.new(self._pepper(), _PURPOSE + text, hashlib.sha256).hexdigest()
        return f"~{digest[:_SHOWN]}"

    def _update(self, reference: Reference, values: Mapping[str, object], *only: object) -> None:
        wanted = update(table).where(table.c.reference == str(reference.bare), *only)  # type: ignore[arg-type]
        with store_errors("cannot note a secret"), writing(self._engine) as connection:
            connection.execute(wanted.values(**values))


def _seen(row: Row[tuple[object, ...]]) -> SecretSeen:
    return SecretSeen(row.reference, row.version, row.made, row.first_seen, row.probed, row.probe)
