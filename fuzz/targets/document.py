"""JSON with the place of every value: an own, slow reading to hold ``wire.edit`` against.

Scalars are the bytes that stand for them, so that ``1`` is not ``1.0`` here.
"""

import json
import re
from dataclasses import dataclass, field
from itertools import chain

_TOKEN = re.compile(rb'[ \t\n\r]*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^ \t\n\r{}\[\],:"]+)', re.S)


@dataclass
class Node:
    """One value. ``kind`` is ``{``, ``[`` or empty for a scalar."""

    kind: str
    start: int
    end: int = 0
    keys: list[str] = field(default_factory=list)
    inside: list["Node"] = field(default_factory=list)

    def text(self, raw: bytes) -> bytes:
        return raw[self.start : self.end]

    def child(self, token: str) -> "Node | None":
        if self.kind == "{":
            return self.inside[self.keys.index(token)] if token in self.keys else None
        if self.kind == "[" and re.fullmatch("0|[1-9][0-9]{0,8}", token, re.ASCII):
            return self.inside[int(token)] if int(token) < len(self.inside) else None
        return None


def read(raw: bytes) -> Node:
    """``raw`` must be JSON."""
    root: Node | None = None
    open_: list[Node] = []
    key: str | None = None
    for found in _TOKEN.finditer(raw):
        token, start, end = found[1], found.start(1), found.end(1)
        if token in b",:":
            continue
        if token in b"}]":
            open_.pop().end = end
            continue
        if open_ and open_[-1].kind == "{" and key is None:
            key = json.loads(token)
            continue
        node = Node(token.decode() if token in b"{[" else "", start, end)
        if open_:
            open_[-1].inside.append(node)
            open_[-1].keys += [key] if key is not None else []
            key = None
        else:
            root = node
        if node.kind:
            open_.append(node)
    assert root is not None
    return root


Shape = tuple[object, ...]
"""A value's brackets, keys and scalars (bytes) in their order. Flat, for it may be deep."""

_ENDS = {"{": "}", "[": "]"}


def shape(raw: bytes, node: Node | None = None) -> Shape:
    found: list[object] = []
    left: list[object] = [node or read(raw)]
    while left:
        one = left.pop()
        if not isinstance(one, Node):
            found.append(one)
        elif not one.kind:
            found.append(one.text(raw))
        else:
            found.append(one.kind)
            left.append(_ENDS[one.kind])
            names = one.keys or [""] * len(one.inside)
            for name, inner in zip(reversed(names), reversed(one.inside), strict=True):
                left += [inner, ("key", name)]
    return tuple(found)


def shape_of(node: Node, parts: list[Shape]) -> Shape:
    """Of an object or array like ``node``, with other values in it."""
    names = node.keys or [""] * len(parts)
    inside = [(("key", name), *part) for name, part in zip(names, parts, strict=True)]
    return (node.kind, *chain.from_iterable(inside), _ENDS[node.kind])
