"""Arguments and bounds on them, as people type them: ``/amount<=100``, ``/unit in ["mg","ml"]``.

A typed value has the type that the argument had in the question: ``/id=7`` is the text "7" where
the id was text. So nobody widens or misses anything by a quotation mark.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from lockgate.approval.edits import at
from lockgate.control_plane.services.refused import Refused
from lockgate.model.approval import Bound

Is = Literal["equals", "one-of", "at-most", "at-least"]
Scalar = str | int | float | bool
_SIGNS: Mapping[str, Is] = {"=": "equals", "in": "one-of", "<=": "at-most", ">=": "at-least"}
_FORM = re.compile(
    r"(?P<pointer>(?:/(?:[^~/=<>\s]|~0|~1)+)+)\s*(?P<sign><=|>=|=|(?<=\s)in(?=\s))\s*(?P<value>.*)"
)
_MOST = 100
"""Values of one bound."""


def bound_of(text: str, arguments: Mapping[str, Any]) -> Bound:
    """``arguments``: those of the question. Raises ``Refused``."""
    pointer, sign, typed = split(text)
    is_, known = _SIGNS[sign], at(arguments, pointer)
    if is_ == "one-of":
        return Bound(pointer, is_, _several(pointer, typed, known))
    value = value_of(pointer, typed, known)
    if not isinstance(value, Scalar):
        raise Refused(f"{pointer} is neither text, number nor truth value.",
                      "Such an argument cannot be bounded; approve single calls.")  # fmt: skip
    if is_ in ("at-most", "at-least") and (isinstance(value, bool | str)):
        raise Refused(f"{pointer} is no number.", f"Write {pointer}=VALUE.")
    return Bound(pointer, is_, (value,))


def split(text: str) -> tuple[str, str, str]:
    """Pointer, sign and value as typed. Raises ``Refused``."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise Refused(f"{text!r} is not understood.", "Write for instance /amount<=100, "
                      '/patient_id=p-011 or \'/unit in ["mg","ml"]\'.')  # fmt: skip
    return found["pointer"], found["sign"], found["value"]


def value_of(pointer: str, typed: str, known: Any) -> Any:
    """``known``: the value in the question. Raises ``Refused`` for one of another type."""
    if isinstance(known, str):
        return typed
    try:
        value = orjson.loads(typed)
    except orjson.JSONDecodeError:
        value = None
    if not _alike(known, value):
        raise Refused(f"{pointer} is {_called(known)} in the question, and {typed!r} is not.")
    return value


def _several(pointer: str, typed: str, known: Any) -> tuple[Scalar, ...]:
    try:
        values = orjson.loads(typed)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, list) or not 0 < len(values) <= _MOST:
        raise Refused(f"After `in` comes a JSON array of 1 to {_MOST} values.")
    if not isinstance(known, Scalar) or not all(_alike(known, value) for value in values):
        raise Refused(f"{pointer} is {_called(known)} in the question; not all values are.")
    return tuple(values)


def _alike(known: Any, value: Any) -> bool:
    if _number(known):
        return _number(value)
    return type(known) is type(value) and value is not None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _called(known: Any) -> str:
    if known is None:
        return "nothing"
    names = {str: "text", bool: "true or false", dict: "an object", list: "an array"}
    return names.get(type(known), "a number")
