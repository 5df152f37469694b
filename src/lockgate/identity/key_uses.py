"""When each key was last accepted, until that is written: no call waits for it."""

from collections.abc import Mapping


class KeyUses:
    """Holds one number for each key that was used. Not for several threads."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def note(self, key_id: str, now_ms: int) -> None:
        self._at[key_id] = now_ms

    def drain(self) -> dict[str, int]:
        """All since the last time."""
        drained, self._at = self._at, {}
        return drained

    def restore(self, uses: Mapping[str, int]) -> None:
        """What was drained could not be written. What was noted since is newer."""
        self._at = {**uses, **self._at}
