"""``wire.strict_json``, against Python's own decoder."""

import json
from typing import Any

from fuzz.parts import LIMITS
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import check

_EXACT = 2**63
_MAY_REFUSE = frozenset({"wire.not-json", "wire.duplicate-key", "wire.too-deep"})


def strict_json(data: bytes) -> None:
    """What is let in means the same to another parser, and has no key twice; what is refused for a
    reason has that fault."""
    try:
        tree, reason = check(data, LIMITS), ""
    except WireRefusal as refusal:
        tree, reason = None, refusal.reason
        assert reason in _MAY_REFUSE, reason
    other = _Other(data)
    if not reason:
        assert other.faults == set(), other.faults
        assert _same(tree, other.tree), "another parser reads something else"
    elif reason == "wire.not-json":
        assert other.faults & {"not-json", "lone surrogate", "number", "deep"}, reason
    elif reason == "wire.duplicate-key":
        assert "twice" in other.faults, reason
    else:
        assert "deep" in other.faults, reason


class _Other:
    """What Python's ``json`` makes of the same text, and the faults it has."""

    def __init__(self, data: bytes) -> None:
        self.faults: set[str] = set()
        self.tree: Any = None
        try:
            text = data.decode()
            self.tree = json.loads(
                text,
                object_pairs_hook=self._pairs,
                parse_constant=self._constant,
                parse_int=self._number,
                parse_float=self._number,
            )
        except RecursionError:
            self.faults.add("deep")
        except ValueError:
            self.faults.add("not-json")
        else:
            if _depth(self.tree) > LIMITS.depth:
                self.faults.add("deep")
            if "\\" in text and _has_surrogate(self.tree):
                self.faults.add("lone surrogate")

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.faults.add("twice")
        return found

    def _constant(self, name: str) -> Any:
        raise ValueError(name)

    def _number(self, token: str) -> float:
        if not any(c in token for c in ".eE") and len(token) <= 20:
            number = int(token)
            if -_EXACT <= number < 2 * _EXACT:
                return number
        if abs(float(token)) == float("inf"):
            self.faults.add("number")
        return float(token)


def _depth(tree: Any) -> int:
    depth, level = 0, [tree]
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        level = [n for node in level for n in (node.values() if isinstance(node, dict) else node)]
    return depth


def _has_surrogate(tree: Any) -> bool:
    return any(0xD800 <= ord(c) < 0xE000 for c in json.dumps(tree, ensure_ascii=False))


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: ``1`` is not ``1.0``, nor ``true``."""
    todo = [(one, other)]
    while todo:
        a, b = todo.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, dict):
            if list(a) != list(b):
                return False
            todo += [(a[k], b[k]) for k in a]
        elif isinstance(a, list):
            if len(a) != len(b):
                return False
            todo += list(zip(a, b, strict=True))
        elif a != b:
            return False
    return True
