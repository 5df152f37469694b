"""What checking arguments against an untrusted schema may cost, known before it is done.

JSON Schema (2020-12, Core, section 10) lets a few kilobytes ask for work without end: branches that
refer to the same branches double at each level. Nothing can be stopped once it runs, so it is
counted first.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

MOST_BYTES = 2**18
MOST_NODES = 5_000
MOST_PATTERNS = 100
MOST_VISITS = 20_000
"""Schemas applied in all, each one that applies to a value of its own counted once."""
DEEPEST = 64
"""Schemas that apply to one and the same value, inside each other."""
MOST_WORK = 5_000_000
"""Units of some 50 ns: a keyword applied to a small value."""

_BRANCHES = frozenset({"allOf", "anyOf", "oneOf"})
_SAME_VALUE = frozenset({"not", "if", "then", "else"})
_SAME_VALUE_MAPS = frozenset({"dependentSchemas", "dependencies"})
_EACH_MEMBER = frozenset({"additionalProperties", "unevaluatedProperties", "propertyNames"})
_EACH_ITEM = frozenset({"items", "additionalItems", "unevaluatedItems", "contains"})
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_NOT_FOLLOWED = ("$dynamicRef", "$recursiveRef")
_REPEATED = re.compile(r"(\)?)\{([0-9]{1,6})(?:,([0-9]{0,6}))?\}")
_MOST_FOR_A_PATTERN = 4_000
"""What the size limit on compiled patterns leaves."""
_FRACTION_COST = 1_000
"""``multipleOf`` is decided exactly, with integers as long as a double is wide."""
_TEXT_UNIT = 16
"""Bytes of text that cost as much as a value."""

Schema = Mapping[str, Any]

_EVERYTHING: dict[str, Any] = {}
"""Applies to all there is in a value: what ``uniqueItems`` looks at."""
_EVERYTHING["items"] = _EVERYTHING["additionalProperties"] = _EVERYTHING


class Unbounded(Exception):
    """The cause is its text: never anything of the schema's."""


class _Place(msgspec.Struct):
    """What applies to one value, and where from there: (place, how often), by member or index."""

    cost: int = 0
    every_member: list[tuple[int, int]] = []
    every_item: list[tuple[int, int]] = []
    some: dict[str | int, list[tuple[int, int]]] = {}


def unbounded(schema: Schema) -> str:
    """Why no bound can be given for ``schema``; empty where there is one."""
    try:
        Effort(schema)
    except Unbounded as cause:
        return str(cause)
    return ""


def too_many(schema: Schema) -> str:
    """Why ``schema`` is too large to be looked at; empty where it is not."""
    nodes = patterns = 0
    for node in _nodes(schema):
        nodes += 1
        if isinstance(node, dict):
            patterns += "pattern" in node
            named = node.get("patternProperties")
            patterns += len(named) if isinstance(named, dict) else 0
    if nodes > MOST_NODES:
        return f"more than {MOST_NODES} values"
    return f"more than {MOST_PATTERNS} patterns" if patterns > MOST_PATTERNS else ""


class Effort:
    """An upper bound of the work of one schema on any value. Raises what ``unbounded`` tells."""

    def __init__(self, schema: Schema) -> None:
        if cause := too_many(schema):
            raise Unbounded(cause)
        self._root = schema
        self._numbers: dict[int, int] = {}
        self._schemas: list[Schema] = []
        self._places: list[_Place] = []
        self._visits = 0
        self._number(schema)
        while len(self._places) < len(self._schemas):
            place = _Place()
            self._visit(place, self._schemas[len(self._places)], 1, 0)
            self._places.append(place)
        self._levels = [[place.cost for place in self._places]]

    def on(self, value: Any) -> int:
        """The work on ``value``, in visits of a schema keyword; beyond the cap, something above
        it."""
        work = 0
        for depth, size in enumerate(_sizes(value)):
            cost = self._at(depth)
            work += size * cost
            if not cost or work > MOST_WORK:
                break
        return work

    def _at(self, depth: int) -> int:
        while len(self._levels) <= depth:
            below = self._levels[-1]
            self._levels.append([_most_below(place, below) for place in self._places])
        return self._levels[depth][0]

    def _visit(self, place: _Place, schema: Any, times: int, depth: int) -> None:
        self._visits += 1
        if self._visits > MOST_VISITS:
            raise Unbounded(f"more than {MOST_VISITS} schemas when its references are followed")
        if depth > DEEPEST:
            raise Unbounded("its references go in circles, or too deep")
        if not isinstance(schema, dict):
            place.cost += times
            return
        self._check_names(schema)
        # What is left over is found by asking every branch again.
        again = times * (3 if any(name in schema for name in _UNEVALUATED) else 1)
        for name, said in schema.items():
            place.cost += again * _own_cost(name, said)
            for branch in self._on_same_value(name, said):
                self._visit(place, branch, again, depth + 1)
            self._below(place, name, said, again)

    def _check_names(self, schema: Schema) -> None:
        if any(name in schema for name in _NOT_FOLLOWED):
            raise Unbounded("a dynamic reference")
        if schema is not self._root and ("$id" in schema or isinstance(schema.get("id"), str)):
            # It would give the references below it another meaning.
            raise Unbounded("a schema with an id of its own inside another")

    def _on_same_value(self, name: str, said: Any) -> Iterator[Any]:
        if name == "$ref":
            yield _resolve(self._root, said)
        elif name in _BRANCHES and isinstance(said, list):
            yield from said
        elif name in _SAME_VALUE:
            yield said
        elif name in _SAME_VALUE_MAPS and isinstance(said, dict):
            yield from (one for one in said.values() if not isinstance(one, list))

    def _below(self, place: _Place, name: str, said: Any, times: int) -> None:
        if name in _EACH_MEMBER:
            place.every_member.append((self._number(said), times))
        elif name == "uniqueItems":
            place.every_item.append((self._number(_EVERYTHING), times))
        elif name in _EACH_ITEM and not isinstance(said, list):
            place.every_item.append((self._number(said), times))
        elif name == "patternProperties" and isinstance(said, dict):
            place.every_member.extend((self._number(one), times) for one in said.values())
        else:
            for step, one in _parts(name, said):
                place.some.setdefault(step, []).append((self._number(one), times))

    def _number(self, schema: Any) -> int:
        """Of the place where ``schema`` begins."""
        while isinstance(schema, dict) and schema.keys() == {"$ref"}:
            target = _resolve(self._root, schema["$ref"])
            if not isinstance(target, dict) or target.keys() == {"$ref"}:
                break
            schema = target
        if id(schema) not in self._numbers:
            self._numbers[id(schema)] = len(self._schemas)
            self._schemas.append(schema)
        return self._numbers[id(schema)]


def _parts(name: str, said: Any) -> Iterable[tuple[str | int, Any]]:
    if name == "properties" and isinstance(said, dict):
        return said.items()
    if name in ("items", "prefixItems") and isinstance(said, list):
        return enumerate(said)
    return ()


def _most_below(place: _Place, below: list[int]) -> int:
    """A value is an object or an array, and each of its parts has one name or index."""

    def total(found: list[tuple[int, int]]) -> int:
        return sum(below[number] * times for number, times in found)

    named = [total(found) for name, found in place.some.items() if isinstance(name, str)]
    counted = [total(found) for index, found in place.some.items() if isinstance(index, int)]
    member = total(place.every_member) + max(named, default=0)
    item = total(place.every_item) + max(counted, default=0)
    # Beyond the cap the exact number says nothing more, and would only grow.
    return min(max(member, item), MOST_WORK + 1)


def _own_cost(name: str, said: Any) -> int:
    if name == "pattern":
        return _pattern_cost(said)
    if name == "patternProperties" and isinstance(said, dict):
        return sum(map(_pattern_cost, said))
    if name in ("enum", "const", "required", "dependentRequired"):
        return sum(1 for _ in _nodes(said))
    return _FRACTION_COST if name == "multipleOf" else 1


def _pattern_cost(pattern: Any) -> int:
    """States that may be alive at once. Repetitions of a group multiply those inside it."""
    states = 2 * len(str(pattern))
    factor = 1
    for group, least, most in _REPEATED.findall(str(pattern)):
        count = max(int(least), int(most or 0))
        states += 0 if group else 2 * count
        factor *= max(1, count) if group else 1
        if states * factor >= _MOST_FOR_A_PATTERN:
            return _MOST_FOR_A_PATTERN
    return states * factor


def _resolve(root: Schema, reference: Any) -> Any:
    """RFC 6901, in a URI fragment. Only inside the document."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Unbounded("a reference that leaves the schema")
    found: Any = root
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        raise Unbounded("a reference by another name than its place")
    for token in pointer.split("/")[1:]:
        step = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise Unbounded("a reference to nothing")
    return found


def property_names(schema: Schema) -> frozenset[str]:
    """Of every ``properties`` in the document."""
    found = (node.get("properties") for node in _nodes(schema) if isinstance(node, dict))
    return frozenset(name for said in found if isinstance(said, dict) for name in said)


def _nodes(tree: Any) -> Iterator[Any]:
    left = [tree]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, dict):
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)


def _sizes(value: Any) -> Iterator[int]:
    """Of all values at each depth, from the top: how many there are and how much text they have."""
    level = [value]
    while level:
        below: list[Any] = []
        size = len(level)
        for node in level:
            if isinstance(node, str):
                size += len(node) // _TEXT_UNIT
            elif isinstance(node, dict):
                size += sum(map(len, node)) // _TEXT_UNIT
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        yield size
        level = below
