"""A question's arguments changed by somebody who was asked, and what they changed."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from lockgate.approval.payload import StoredCall, exact
from lockgate.model.approval import leaves


class Change(msgspec.Struct, frozen=True):
    """One argument. ``before`` and ``after`` are JSON; empty where there is none."""

    pointer: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.before or 'nothing'} -> {self.after or 'nothing'}"


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs, by JSON pointer (RFC 6901), sorted; an array is one value."""
    pointers = sorted({*leaves(before), *leaves(after)})
    found = (Change(p, _json(before, p), _json(after, p)) for p in pointers)
    return tuple(one for one in found if one.before != one.after)


def edited(call: StoredCall, changes: Mapping[str, Any]) -> StoredCall:
    """The call with other values at these pointers. Raises ``KeyError`` for a pointer that leads to
    no argument: an edit changes what was asked, it adds nothing."""
    params = exact(call.params)
    for pointer, value in changes.items():
        *above, last = _names(pointer)
        place: Any = params.get("arguments")
        for name in above:
            place = place.get(name) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise KeyError(pointer)
        place[last] = value
    return msgspec.structs.replace(call, params=orjson.dumps(params))


def at(arguments: Mapping[str, Any], pointer: str) -> Any:
    """The value there; None where there is none."""
    found: Any = arguments
    for name in _names(pointer):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _json(arguments: Mapping[str, Any], pointer: str) -> str:
    found = at(arguments, pointer)
    there = found is not None or pointer in set(leaves(arguments))
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode() if there else ""


def _names(pointer: str) -> Iterator[str]:
    return (name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
