"""One byte string for one meaning: what digests are computed over."""

import json
import re
from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_RISKY_NUMBER = re.compile(rb"[0-9][.eE]|-0|[0-9]{16}")


def canonical(raw: bytes) -> bytes:
    """Sorted keys, no white space, number tokens as received.

    RFC 8785 is not used here: it equates ``10`` with ``10.0`` and rounds large integers, so two
    different calls would share a digest. ``raw`` must already have passed the strict decoder.

    Raises ``orjson.JSONDecodeError`` when ``raw`` is not JSON.
    """
    if _RISKY_NUMBER.search(raw):
        tree = json.loads(raw, parse_float=_token, parse_int=_token)
    else:
        tree = orjson.loads(raw)
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def _token(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())
