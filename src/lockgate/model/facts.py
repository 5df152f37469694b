"""Everything a control may know beyond the call itself.

A fact is ``Known`` or ``Unknown``; it is never missing and never ``None``. The gatherer does the
I/O and turns every failure into ``Unknown``, so each control must say, in pure code, what it does
when the quota store or the approvals cannot be reached.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class FactKey(msgspec.Struct, Generic[T], frozen=True):
    """Names a fact and carries its type: ``FactKey[int]("clock.now")``."""

    name: str
    exact: bool = False
    """About one digest: learnt anew when an obligation changes the call."""


class Known(msgspec.Struct, Generic[T], frozen=True):
    value: T


class Unknown(msgspec.Struct, frozen=True):
    why: str
    """Catalogued or short technical cause; never personal data."""


Fact = Known[T] | Unknown


class Facts:
    """What was learned for one subject. Asking for what was not gathered answers ``Unknown``."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[FactKey[Any], Known[Any] | Unknown]) -> None:
        self._values: dict[Any, Any] = dict(values)

    def get(self, key: FactKey[T]) -> Known[T] | Unknown:
        found: Known[T] | Unknown = self._values.get(key, _NOT_GATHERED)
        return found

    def __iter__(self) -> Iterator[tuple[FactKey[Any], Known[Any] | Unknown]]:
        return iter(self._values.items())


_NOT_GATHERED = Unknown("not gathered")

NOW: FactKey[int] = FactKey("clock.now")
"""Milliseconds since the Unix epoch. The one clock reading a call gets."""
