"""JSON with comments and trailing commas, as editors write it: read with places, edited in place.

Everything outside an edit keeps its bytes, comments included.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

MAX_DEPTH = 100
_TRIVIA = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.S)
_REST_OF_LINE = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/)?[ \t]*(?=\r?\n)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_DECODER = json.JSONDecoder()
_WORDS = {"true": True, "false": False, "null": None}


class JsoncInvalid(Exception):
    """Not JSON, comments and trailing commas allowed. ``line`` and ``column`` count from 1."""

    def __init__(self, what: str, text: str, at: int) -> None:
        self.line = text.count("\n", 0, at) + 1
        self.column = at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {what}")


class Node(msgspec.Struct, frozen=True):
    """A value and its span in the text."""

    value: Any
    start: int
    end: int
    members: dict[str, "Node"] = {}
    """Of an object, in order."""


def parse(text: str) -> Node:
    """Raises ``JsoncInvalid``. Empty text is an empty object, as editors take it."""
    start = _skip(text, 0)
    if start == len(text):
        return Node({}, start, start)
    node = _value(text, start, 0)
    end = _skip(text, node.end)
    if end != len(text):
        raise JsoncInvalid("something follows the value", text, end)
    return node


def put(text: str, path: Sequence[str], value: Any) -> str:
    """``text`` with ``value`` at ``path``, making the objects on the way.

    Raises ``JsoncInvalid``, also where the path leads through something that is no object.
    """
    node = parse(text)
    if node.start == node.end:
        return json.dumps(_nested(path, value), indent=2, ensure_ascii=False) + "\n"
    for depth, step in enumerate(path):
        if not isinstance(node.value, dict):
            raise JsoncInvalid("an object is needed here", text, node.start)
        if step not in node.members:
            return _insert(text, node, step, _nested(path[depth + 1 :], value))
        node = node.members[step]
    return text[: node.start] + _dump(value, _indent_at(text, node.start)) + text[node.end :]


def _insert(text: str, parent: Node, key: str, value: Any) -> str:
    outer = _indent_at(text, parent.start)
    inner = _inner_indent(text, parent, outer)
    entry = f"{inner}{json.dumps(key, ensure_ascii=False)}: {_dump(value, inner)}"
    if not parent.members:
        body = text[parent.start + 1 : parent.end - 1].rstrip()
        return f"{text[: parent.start]}{{{body}\n{entry}\n{outer}}}{text[parent.end :]}"
    last = list(parent.members.values())[-1]
    comma = _skip(text, last.end)
    if text[comma] == ",":
        head, at, trailing = text[: comma + 1], comma + 1, ","
    else:
        head, at, trailing = text[: last.end] + ",", last.end, ""
    rest = _REST_OF_LINE.match(text, at)
    if rest is not None:  # a comment behind the last entry stays with it
        return f"{head}{text[at : rest.end()]}\n{entry}{trailing}{text[rest.end() :]}"
    return f"{head}\n{entry}{trailing}\n{outer}{text[at:].lstrip()}"


def _inner_indent(text: str, parent: Node, outer: str) -> str:
    for member in parent.members.values():
        found = _indent_at(text, member.start)
        if len(found) > len(outer):
            return found
    return outer + ("\t" if outer.startswith("\t") else "  ")


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _dump(value: Any, indent: str) -> str:
    step = "\t" if indent.startswith("\t") else 2
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", f"\n{indent}")


def _nested(path: Sequence[str], value: Any) -> Any:
    for step in reversed(path):
        value = {step: value}
    return value


def _skip(text: str, at: int) -> int:
    found = _TRIVIA.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise JsoncInvalid("nested too deeply", text, at)
    first = text[at : at + 1]
    if first == "{":
        return _object(text, at, depth)
    if first == "[":
        return _array(text, at, depth)
    if first == '"':
        value, end = _string(text, at)
        return Node(value, at, end)
    for word, meaning in _WORDS.items():
        if text.startswith(word, at):
            return Node(meaning, at, at + len(word))
    number = _NUMBER.match(text, at)
    if number is None or len(number[0]) > 400:
        raise JsoncInvalid("a value is expected here", text, at)
    return Node(json.loads(number[0]), at, number.end())


def _object(text: str, at: int, depth: int) -> Node:
    members: dict[str, Node] = {}
    here = _skip(text, at + 1)
    while text[here : here + 1] != "}":
        if text[here : here + 1] != '"':
            raise JsoncInvalid('a name in double quotes or "}" is expected here', text, here)
        key, end = _string(text, here)
        if key in members:
            raise JsoncInvalid("this name is written twice in one object", text, here)
        colon = _skip(text, end)
        if text[colon : colon + 1] != ":":
            raise JsoncInvalid('":" is expected here', text, colon)
        members[key] = _value(text, _skip(text, colon + 1), depth + 1)
        here = _next(text, members[key].end, "}")
    return Node({k: n.value for k, n in members.items()}, at, here + 1, members)


def _array(text: str, at: int, depth: int) -> Node:
    items: list[Any] = []
    here = _skip(text, at + 1)
    while text[here : here + 1] != "]":
        item = _value(text, here, depth + 1)
        items.append(item.value)
        here = _next(text, item.end, "]")
    return Node(items, at, here + 1)


def _next(text: str, end: int, closing: str) -> int:
    here = _skip(text, end)
    if text[here : here + 1] == ",":
        return _skip(text, here + 1)
    if text[here : here + 1] != closing:
        raise JsoncInvalid(f'"," or "{closing}" is expected here', text, here)
    return here


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise JsoncInvalid("this text in quotes is malformed", text, at) from error
    return str(value), end
