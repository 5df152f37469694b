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

    def rotate(self, key_id: str, successor: KeyRecord, expires: int) -> bool:
        """Add ``successor`` and let the key end at ``expires``, both or neither. False where the
        key is not there, was revoked, has a successor or would end sooner."""
        with self._lock:
            found = self._records.get(key_id)
            if found is None or found.revoked or found.successor or found.expires < expires:
                return False
            if successor.id in self._records:
                raise StoreDown("cannot rotate the key: its successor's id is taken")
            ending = msgspec.structs.replace(found, successor=successor.id, expires=expires)
            self._records |= {key_id: ending, successor.id: successor}
            self._version += 1
            return True

    def note_used(self, uses: Mapping[str, int]) -> None:
        """``uses``: when each was last accepted. What is written already and newer stays. No change
        that anybody must read: the version stays too."""
        with self._lock:
            for key_id, at in uses.items():
                found = self._records.get(key_id)
                if found is not None and found.used < at:
                    self._records[key_id] = msgspec.structs.replace(found, used=at)

    def list(self) -> tuple[KeyRecord, ...]:
        """All, also the revoked and expired, oldest first."""
        return tuple(sorted(self._records.values(), key=lambda r: (r.created, r.id)))

    def changed(self, since: int) -> tuple[int, Mapping[str, KeyRecord]] | None:
        with self._lock:
            return None if since == self._version else (self._version, dict(self._records))
