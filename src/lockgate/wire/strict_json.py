"""The one checked JSON decoder, for requests and for replies.

orjson refuses what RFC 8259 forbids (NaN, bad UTF-8, lone surrogates, a byte order mark) but keeps
the last of two equal keys without a word. Another parser may keep the first, so what we judged and
what the upstream does would differ. Here a repeated key is refused.
"""

import re
from collections.abc import Iterable

import msgspec
import orjson

from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LESS_SPACE = (b"\t", b"\n", b"\r")
"""White space that text hardly ever has: it cannot stand in a string as it is."""


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
        tree: Json = orjson.loads(raw)
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
    level: list[dict[str, Json] | list[Json]] = [tree] if isinstance(tree, dict | list) else []
    while level:
        depth += 1
        below: list[dict[str, Json] | list[Json]] = []
        for node in level:
            if type(node) is dict:
                entries += len(node)
                inside: Iterable[Json] = node.values()
            else:
                inside = node
            for value in inside:
                if type(value) is dict or type(value) is list:
                    below.append(value)
        level = below
    return entries, depth


def _has_members(raw: bytes, entries: int) -> bool:
    """Whether the text has exactly ``entries`` members, which is so iff no key was repeated.

    The text never has fewer members than the tree has entries. So any upper bound of its members
    that equals ``entries`` is proof; the exact count, without strings, is only taken when the two
    cheap bounds fail to prove it: all colons, and those that follow a quote or white space, as the
    colon of a member must.
    """
    if raw.count(b":") == entries:
        return True
    bound = raw.count(b'":') + raw.count(b" :")
    bound += sum(raw.count(space + b":") for space in _LESS_SPACE if space in raw)
    if bound == entries:
        return True
    return _STRING.sub(b"", raw).count(b":") == entries
