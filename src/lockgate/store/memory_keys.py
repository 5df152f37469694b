"""API keys in memory, for tests and simulations."""

import threading
from collections.abc import Mapping

import msgspec

from lockgate.model import KeyRecord, StoreDown


class MemoryKeys:
    """The same contract as ``StoredKeys``."""

    def __init__(self) -> None:
        self._records: dict[str, KeyRecord] = {}
        self._version = 0
        self._lock = threading.Lock()

    def add(self, record: KeyRecord) -> None:
        with self._lock:
            if record.id in self._records:
                raise StoreDown("cannot add the key: its id is taken")
            self._records[record.id] = record
            self._version += 1

    def revoke(self, key_id: str, at: int) -> bool:
        """False where there is no such key, or it was revoked before."""
        with self._lock:
            found = self._records.get(key_id)
            if found is None or found.revoked:
                return False
            self._records[key_id] = msgspec.structs.replace(found, revoked=at)
            self._version += 1
            return True

    def list(self) -> tuple[KeyRecord, ...]:
        """All, also the revoked and expired, oldest first."""
        return tuple(sorted(self._records.values(), key=lambda r: (r.created, r.id)))

    def changed(self, since: int) -> tuple[int, Mapping[str, KeyRecord]] | None:
        with self._lock:
            return None if since == self._version else (self._version, dict(self._records))
