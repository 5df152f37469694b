"""A bounded memory of answers that are costly to work out again."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the ``size`` values used last. For pure functions only: a value is never outdated."""

    __slots__ = ("_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Whatever ``make`` raises passes through, and nothing is kept."""
        value = self._values.pop(key, None)
        if value is None:
            value = make()
            if len(self._values) >= self._size:
                self._values.pop(next(iter(self._values)), None)
        self._values[key] = value
        return value
