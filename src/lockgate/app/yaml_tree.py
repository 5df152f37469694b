"""YAML 1.2 text to plain values, with the place of each.

Only the core schema (YAML 1.2.2, chapter 10.3) and only one document: no tags, anchors, aliases
or merge keys, so that what is read is what is written. Built from parser events, not recursively:
deep nesting cannot exhaust the stack.
"""

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""

MAX_DEPTH = 32
_PLAIN = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_LONGEST_NUMBER = 40
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class YamlInvalid(Exception):
    """The text is not the YAML we take. ``place`` is where, as line and column from 1."""

    def __init__(self, what: str, place: Place, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.place = place
        self.remedy = remedy


class Tree:
    """The values, and where each key and value stands."""

    def __init__(self) -> None:
        self.value: Any = None
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where ``path`` is written; where it is not, its nearest ancestor that is."""
        for end in range(len(path), -1, -1):
            at = path[:end]
            if (key or end < len(path)) and at in self.keys:
                return self.keys[at]
            if at in self.values:
                return self.values[at]
        return (1, 1)


def read_tree(text: str) -> Tree:
    """Raises ``YamlInvalid``."""
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        raise _marked(error) from error
    except ReaderError as error:
        raise YamlInvalid("a character that YAML does not allow", _offset(text, error.position),
                          "Remove the control character.") from error  # fmt: skip
    except (YAMLError, ValueError, OverflowError, AssertionError) as error:
        raise YamlInvalid("this is not valid YAML", builder.last) from error
    return builder.tree


class _Builder:
    def __init__(self) -> None:
        self.tree = Tree()
        self.last: Place = (1, 1)
        self._open: list[tuple[Any, Path]] = []
        self._key: list[str | None] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        mark = event.start_mark
        self.last = (mark.line + 1, mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlInvalid("a second document begins here", self.last, "Keep one document.")
        elif isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise YamlInvalid(
                "anchors and aliases are not taken", self.last, "Write the value out."
            )
        elif isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._open.pop()
            self._key.pop()

    def _begin(self, event: Any) -> None:
        _refuse_tag(event, self.last)
        if len(self._open) >= MAX_DEPTH:
            raise YamlInvalid("nested too deeply", self.last, "Write it flatter.")
        value: Any = {} if isinstance(event, MappingStartEvent) else []
        path = self._put(value)
        self._open.append((value, path))
        self._key.append(None)

    def _scalar(self, event: ScalarEvent) -> None:
        _refuse_tag(event, self.last)
        if _FORBIDDEN.search(event.value):
            raise YamlInvalid("a control character in a value", self.last, "Remove it.")
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            self._name(event.value)
        else:
            self._put(_resolve(event))

    def _name(self, key: str) -> None:
        parent, path = self._open[-1]
        if key in parent:
            first = self.tree.keys[(*path, key)]
            raise YamlInvalid(f"{key[:60]!r} is written twice; first on line {first[0]}", self.last,
                              "Keep one of the two.")  # fmt: skip
        parent[key] = None
        self._key[-1] = key
        self.tree.keys[(*path, key)] = self.last

    def _put(self, value: Any) -> Path:
        if not self._open:
            self.tree.value = value
            self.tree.values[()] = self.last
            return ()
        parent, path = self._open[-1]
        if isinstance(parent, list):
            at: Path = (*path, len(parent))
            parent.append(value)
        else:
            key = self._key[-1]
            if key is None:
                raise YamlInvalid("a key must be plain text", self.last, "Write a plain key.")
            at = (*path, key)
            parent[key] = value
            self._key[-1] = None
        self.tree.values[at] = self.last
        return at


def _refuse_tag(event: Any, place: Place) -> None:
    if event.tag is not None:
        raise YamlInvalid("tags (!...) are not taken", place, "Write the plain value.")


def _resolve(event: ScalarEvent) -> bool | int | float | str | None:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _PLAIN.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) < 1e300 else text  # a number JSON cannot carry stays text
    return text


def _marked(error: MarkedYAMLError) -> YamlInvalid:
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    what = " ".join(str(error.problem or error.context or "not valid YAML").split())
    remedy = "Indent with spaces, not tabs." if "\\t" in what else ""
    return YamlInvalid(f"not valid YAML: {what}", place, remedy)


def _offset(text: str, position: int) -> Place:
    before = text[:position]
    return (before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)
