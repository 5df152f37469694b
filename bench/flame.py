"""Sampled stacks as a flame graph: plain SVG, wide where the time is."""

from collections.abc import Iterator, Mapping
from html import escape

import msgspec

WIDTH, ROW = 1200, 17
_LEAST = 0.4
"""Pixels; what is narrower is left out."""
_LETTER = 6.6


class Node(msgspec.Struct):
    name: str
    spent: int = 0
    below: dict[str, "Node"] = {}


def grown(stacks: Mapping[str, int]) -> Node:
    """One tree of all stacks."""
    root = Node("all", below={})
    for stack, spent in stacks.items():
        root.spent += spent
        at = root
        for frame in stack.split(";"):
            at = at.below.setdefault(frame, Node(frame, below={}))
            at.spent += spent
    return root


def svg(stacks: Mapping[str, int], title: str) -> str:
    root = grown(stacks)
    boxes = list(_boxes(root, 0.0, float(WIDTH), 0))
    depth = max(level for _, _, _, level in boxes) + 1
    height = (depth + 2) * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="monospace" font-size="11">',
        f'<text x="4" y="13">{escape(title)}</text>',
    ]
    lines += [_drawn(node, x, width, level, root.spent) for node, x, width, level in boxes]
    return "\n".join([*lines, "</svg>", ""])


def _boxes(
    node: Node, x: float, width: float, level: int
) -> Iterator[tuple[Node, float, float, int]]:
    yield node, x, width, level
    for child in sorted(node.below.values(), key=lambda c: c.name):
        share = width * child.spent / max(1, node.spent)
        if share >= _LEAST:
            yield from _boxes(child, x, share, level + 1)
        x += share


def _drawn(node: Node, x: float, width: float, level: int, whole: int) -> str:
    percent = 100 * node.spent / max(1, whole)
    y = (level + 1) * ROW
    label = escape(node.name[: int(width / _LETTER)]) if width > 4 * _LETTER else ""
    fill = _colour(node.name)
    return (
        f"<g><title>{escape(node.name)} {percent:.1f} %</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="{fill}"/>'
        f'<text x="{x + 2:.1f}" y="{y + 12}">{label}</text></g>'
    )


def _colour(name: str) -> str:
    """One for each room, so that rooms are seen."""
    room = name.split("/")[1] if name.startswith("lockgate/") else ""
    colours = {"app": "#f4b183", "pipeline": "#ffd966", "wire": "#a9d18e", "policy": "#9dc3e6",
               "upstream": "#c5a5e0", "audit": "#ff9999", "store": "#ff9999", "model": "#d0cece",
               "inspection": "#8fd4d0", "identity": "#8fd4d0", "approval": "#8fd4d0"}  # fmt: skip
    return colours.get(room, "#ededed")
