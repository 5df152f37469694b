"""One byte string for one meaning: what digests are computed over."""

import json
import re
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_RISKY_NUMBER = re.compile(rb"[0-9][.eE]|-0|[0-9]{16}")


def canonical(raw: bytes, without_meta: tuple[str, ...] = ()) -> bytes:
    """Sorted keys, no white space, number tokens as received. ``without_meta``: members of the
    top-level ``_meta`` to leave out.

    RFC 8785 is not used here: it equates ``10`` with ``10.0`` and rounds large integers, so two
    different calls would share a digest. ``raw`` must already have passed the strict decoder.

    Raises ``orjson.JSONDecodeError`` when ``raw`` is not JSON.
    """
    if _RISKY_NUMBER.search(raw):
        tree = json.loads(raw, parse_float=_token, parse_int=_token)
    else:
        tree = orjson.loads(raw)
    if without_meta:
        _leave_out(tree, without_meta)
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def _leave_out(tree: Any, names: tuple[str, ...]) -> None:
    meta = tree.get("_meta") if isinstance(tree, dict) else None
    if not isinstance(meta, dict):
        return
    for name in names:
        meta.pop(name, None)
    if not meta:
        del tree["_meta"]


def _token(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())
