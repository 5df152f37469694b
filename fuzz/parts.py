"""How targets that need several things read them from one input: as text that a person can write.

Seeds stay readable, and a mutation of one part leaves the others alone.
"""

import orjson

from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

CUT = b"\n--\n"
"""Stands between two parts."""
LIMITS = Limits()


def cut(data: bytes, most: int) -> list[bytes]:
    """Exactly ``most`` parts, empty where there are fewer."""
    found = data.split(CUT, most - 1)
    return found + [b""] * (most - len(found))


def text(data: bytes) -> str:
    return data.decode(errors="replace")


def json_in(data: bytes) -> Json:
    """What a strict decoder lets in. Raises ``WireRefusal``."""
    return check(data, LIMITS)


def object_in(data: bytes) -> dict[str, Json] | None:
    """None for what never gets past the decoder, and for what is no object."""
    try:
        found = json_in(data)
    except WireRefusal:
        return None
    return found if isinstance(found, dict) else None


def headers_in(data: bytes) -> list[tuple[bytes, bytes]]:
    """``name: value`` lines, names in lower case as ASGI servers give them."""
    pairs = (line.split(b":", 1) for line in data.split(b"\n") if b":" in line)
    return [(name.strip().lower(), value.strip(b" \t")) for name, value in pairs]


def is_json(raw: bytes) -> bool:
    """Whether nothing that was sent is broken: JSON, with each key once."""
    try:
        orjson.loads(raw)
        check(raw, Limits(bytes=2**30, depth=1_000))
    except (orjson.JSONDecodeError, WireRefusal):
        return False
    return True
