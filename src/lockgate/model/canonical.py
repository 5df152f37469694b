"""One byte string for one meaning: what digests are computed over."""

import json
import re
from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_RISKY_NUMBER = re.compile(rb"[0-9][.eE]|-0|[0-9]{16}")


def canonical(raw: bytes, tree: Json = None) -> bytes:
    """Sorted keys, no white space, number tokens as received. ``tree``: ``raw`` decoded, where that
    has been done.

    RFC 8785 is not used here: it equates ``10`` with ``10.0`` and rounds large integers, so two
    different calls would share a digest. ``raw`` must already have passed the strict decoder.

    Raises ``orjson.JSONDecodeError`` when ``raw`` is not JSON.
    """
    if tree is None:
        tree = orjson.loads(raw)
    if _RISKY_NUMBER.search(raw) and (b"-0" in raw or _has_float(tree)):
        exact = json.loads(raw, parse_float=_token, parse_int=_token)
        return orjson.dumps(exact, option=orjson.OPT_SORT_KEYS)
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def _has_float(tree: Json) -> bool:
    """Of all numbers only floats have lost their token; integers beyond 64 bits became floats. What
    looked like one may also stand in a text."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if type(node) is float:
            return True
        if type(node) is dict:
            todo.extend(node.values())
        elif type(node) is list:
            todo.extend(node)
    return False


def _token(text: str) -> orjson.Fragment:
    return orjson.Fragment(text.encode())
