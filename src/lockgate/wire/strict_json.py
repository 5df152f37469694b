"""The one checked JSON decoder, for requests and for replies.

orjson refuses what RFC 8259 forbids (NaN, bad UTF-8, lone surrogates, a byte order mark) but keeps
the last of two equal keys without a word. Another parser may keep the first, so what we judged and
what the upstream does would differ. Here a repeated key is refused.
"""

import re
from typing import cast

import msgspec
import orjson

from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BEFORE_COLON = (b'":', b" :", b"\t:", b"\n:", b"\r:")
"""A member's colon follows its key's closing quote, or white space. Nothing else can precede it."""


class Limits(msgspec.Struct, frozen=True):
    bytes: int = 4 * 2**20
    depth: int = 64
    """Containers inside each other; ``[]`` has depth 1."""


def check(raw: bytes, limits: Limits) -> Json:
    """Decode ``raw``, or refuse it.

    Integers beyond 64 bits come out as floats, as orjson reads them: who needs the exact token
    reads it from ``raw``.

    Raises ``WireRefusal`` with ``wire.too-large``, ``wire.not-json``, ``wire.duplicate-key`` or
    ``wire.too-deep``.
    """
    if len(raw) > limits.bytes:
        raise WireRefusal("wire.too-large", f"more than {limits.bytes} bytes")
    try:
        tree = cast("Json", orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        # orjson stops at 1024 levels by itself, so the stack is never at risk.
        deep = error.msg.startswith("depth limit")
        raise WireRefusal("wire.too-deep" if deep else "wire.not-json") from None
    entries, depth = _measure(tree)
    if depth > limits.depth:
        raise WireRefusal("wire.too-deep", f"more than {limits.depth} levels")
    if not _has_members(raw, entries):
        raise WireRefusal("wire.duplicate-key")
    return tree


def _measure(tree: Json) -> tuple[int, int]:
    """Dict entries in the whole tree, and its depth. Level by level: no recursion to exhaust."""
    entries = depth = 0
    level: list[object] = [tree]
    while True:
        below: list[object] = []
        seen = False
        for node in level:
            if type(node) is dict:
                entries += len(node)
                below.extend(node.values())
            elif type(node) is list:
                below.extend(node)
            else:
                continue
            seen = True
        if not seen:
            return entries, depth
        depth += 1
        level = below


def _has_members(raw: bytes, entries: int) -> bool:
    """Whether the text has exactly ``entries`` members, which is so iff no key was repeated.

    The text never has fewer members than the tree has entries. So any upper bound of its members
    that equals ``entries`` is proof; the exact count, without strings, is only taken when the two
    cheap bounds fail to prove it.
    """
    if raw.count(b":") == entries or sum(map(raw.count, _BEFORE_COLON)) == entries:
        return True
    return _STRING.sub(b"", raw).count(b":") == entries
