"""JSON with the place of every value: an own, slow reading to hold ``wire.edit`` against.

Scalars are the bytes that stand for them, so that ``1`` is not ``1.0`` here.
"""

import json
import re
from dataclasses import dataclass, field

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


Shape = tuple[object, ...] | bytes


def shape(raw: bytes, node: Node | None = None) -> Shape:
    """The value as nested tuples: members with their decoded keys in order, scalars as bytes."""
    node = node or read(raw)
    if node.kind == "{":
        inside = zip(node.keys, (shape(raw, n) for n in node.inside), strict=True)
        return ("{", *inside)
    if node.kind == "[":
        return ("[", *(shape(raw, n) for n in node.inside))
    return node.text(raw)
