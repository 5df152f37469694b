"""The room table of ARCHITECTURE.md is the one on disk.

The table is the first fenced block of the document whose first line starts with ``model/``. A line
at the margin names a room and says what it is for; the indented lines below it name its modules,
those of a folder inside the room as ``folder/module``, or the whole folder as ``folder/``.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from checks.tree import Problem, Tree

DOCUMENT = "ARCHITECTURE.md"
_SRC = "src/lockgate/"


def find(tree: Tree) -> Iterator[Problem]:
    if DOCUMENT not in tree.files:
        yield Problem(DOCUMENT, "is missing")
        return
    table = read_table(tree.files[DOCUMENT].read_text())
    if not table:
        yield Problem(DOCUMENT, "has no fenced room table that starts with model/")
        return
    built = modules_on_disk(tree)
    for room in sorted(table.keys() - built.keys()):
        yield Problem(DOCUMENT, f"names the room {room}/, which is not built")
    for room in sorted(built.keys() - table.keys()):
        yield Problem(DOCUMENT, f"does not name the room {room}/")
    for room in sorted(table.keys() & built.keys()):
        whole = tuple(m for m in table[room] if m.endswith("/"))
        there = {_folded(m, whole) for m in built[room]}
        if there != table[room]:
            yield Problem(DOCUMENT, f"{room}/ should read: {' '.join(sorted(there))}")


def read_table(text: str) -> dict[str, set[str]]:
    """Room -> what the table lists in it."""
    for block in text.split("```")[1::2]:
        lines = block.splitlines()[1:]
        if lines and lines[0].startswith("model/"):
            return _read_lines(lines)
    return {}


def _read_lines(lines: list[str]) -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    room = ""
    for line in lines:
        if line[:1].strip():
            room = line.split("/")[0]
            table[room] = set()
        else:
            table[room].update(line.split())
    return table


def modules_on_disk(tree: Tree) -> dict[str, set[str]]:
    """Room -> its modules, without ``__init__``."""
    built: dict[str, set[str]] = {}
    for module in tree.under(_SRC):
        path = PurePosixPath(module.path.removeprefix(_SRC))
        if len(path.parts) < 2:
            continue
        room = built.setdefault(path.parts[0], set())
        if path.name != "__init__.py":
            room.add("/".join(path.with_suffix("").parts[1:]))
    return built


def _folded(module: str, whole: tuple[str, ...]) -> str:
    """The folder instead of the module where the table lists the folder as a whole."""
    return next((folder for folder in whole if module.startswith(folder)), module)
