"""Policy files, cut into statements that remember where they stand."""

import re
from collections.abc import Iterator

import msgspec

from lockgate.model.problem import Problem

MAX_NESTING = 64
"""Brackets within brackets in one policy."""
MAX_CODE = 8192
"""Characters of one policy, without its strings and comments. Cedar's parser is recursive and ends
the whole process on deep input, so what is longer or deeper is never shown to it."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|//[^\r\n]*|\s+|[^\s"/;(){}\[\]]+|.', re.DOTALL)


class PolicyInvalid(Exception):
    """The policies are not fit to decide anything. ``problems`` is never empty."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Statement(msgspec.Struct, frozen=True):
    """One policy's text, from its first word to its semicolon."""

    file: str
    line: int
    """Counted from 1, as is ``column``."""
    column: int
    index: int
    """Which policy of its file it is, counted from 1."""
    text: str
    nesting: int
    code: int

    @property
    def too_complex(self) -> bool:
        return self.nesting > MAX_NESTING or self.code > MAX_CODE

    def problem(self, what: str) -> Problem:
        return Problem(what, self.file, self.line, self.column)


def statements(file: str, text: str) -> Iterator[Statement]:
    """Cut at each semicolon that is not within a string or a comment.

    A semicolon ends a Cedar policy and stands nowhere else (Cedar grammar, "Policy"). Text after
    the last one is a statement too, for Cedar to complain about.
    """
    start = code = depth = deepest = newline = index = 0
    line, begun = 1, (0, 0)
    for token in _TOKEN.finditer(text):
        part = token.group()
        if not part.isspace() and not part.startswith("//"):
            if begun == (0, 0):
                start, begun = token.start(), (line, token.start() - newline + 1)
            code += 1 if part.startswith('"') else len(part)
            depth += (part in "([{") - (part in ")]}")
            deepest = max(deepest, depth)
        if "\n" in part:
            line += part.count("\n")
            newline = token.start() + part.rindex("\n") + 1
        if part == ";":
            index += 1
            yield Statement(file, *begun, index, text[start : token.end()], deepest, code)
            code = depth = deepest = 0
            begun = (0, 0)
    if begun != (0, 0):
        yield Statement(file, *begun, index + 1, text[start:], deepest, code)
