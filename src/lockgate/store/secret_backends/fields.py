"""One of several values that are kept under one name, as a JSON object."""

from collections.abc import Mapping
from typing import Any

import orjson

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.store.secret_backends.local import present


def pick(reference: Reference, values: Mapping[str, Any]) -> str:
    """Raises ``ReferenceBroken`` where there is none of that name, or it is no text."""
    value = values.get(reference.field)
    if not isinstance(value, str):
        what = "has no text in the field" if reference.field in values else "has no field"
        raise ReferenceBroken(f"{reference.place}:{reference.name} {what} {reference.field}")
    return present(reference, value)


def pick_from(reference: Reference, text: str) -> str:
    """From the JSON object that ``text`` is; the whole text where no field is named."""
    if not reference.field:
        return present(reference, text)
    return pick(reference, _object(reference, text))


def put_into(reference: Reference, text: str, value: str) -> str:
    """``text`` with the one field replaced; ``value`` alone where no field is named."""
    if not reference.field:
        return value
    return orjson.dumps({**_object(reference, text), reference.field: value}).decode()


def _object(reference: Reference, text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:  # not chained: it holds the text
        found = None
    if not isinstance(found, dict):
        raise ReferenceBroken(f"{reference.place}:{reference.name} is no JSON object, so it has "
                              f"no field {reference.field}") from None  # fmt: skip
    return found
