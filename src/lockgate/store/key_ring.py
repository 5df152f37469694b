"""Every key record in memory, never older than the gateway can bear."""

from collections.abc import Mapping

from lockgate.model import KeyRecord
from lockgate.store.feed import STALE_MS, Snapshot, Versioned


class KeyRing:
    """Satisfies ``identity.api_key.KeyBook`` over ``StoredKeys`` or ``MemoryKeys``."""

    def __init__(self, keys: Versioned[Mapping[str, KeyRecord]], stale_ms: int = STALE_MS) -> None:
        self._snapshot: Snapshot[Mapping[str, KeyRecord]] = Snapshot(keys, {}, stale_ms)

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s; raises ``StoreDown``."""
        self._snapshot.refresh(now_ms)

    def find(self, key_id: str) -> KeyRecord | None:
        return self._snapshot.rows.get(key_id)

    def fresh(self, now_ms: int) -> bool:
        return self._snapshot.fresh(now_ms)

    @property
    def version(self) -> int:
        return self._snapshot.version
