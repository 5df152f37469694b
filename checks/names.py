"""Names that say nothing, and tests that stand where one looks for them."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from checks.tree import Function, Module, Problem, Tree, is_protocol, is_trivial

EMPTY_NAMES = {
    "base", "common", "handler", "handlers", "helper", "helpers", "manager", "managers",
    "misc", "util", "utils",
}  # fmt: skip
_SRC = "src/lockgate/"
_HISTORY = "/migrations/versions/"
"""Steps of the database's history; the test of the room's ``migrate`` runs them all."""


def find_empty_names(tree: Tree) -> Iterator[Problem]:
    """A module is named after what is in it."""
    for module in tree.modules:
        for part in PurePosixPath(module.path).with_suffix("").parts:
            for word in EMPTY_NAMES.intersection(part.split("_")):
                yield Problem(module.path, f"'{word}' does not say what is inside")


def find_missing_tests(tree: Tree) -> Iterator[Problem]:
    """``src/lockgate/room/thing.py`` is tested by ``tests/unit/room/test_thing.py``."""
    excepted = set(tree.exceptions.get("mirror", []))
    tested = (m.path for m in tree.under(_SRC) if _has_logic(m) and _HISTORY not in m.path)
    wanted = {path: test_of(path) for path in tested}
    for path, test in wanted.items():
        has_test = test in tree.files
        if not has_test and path not in excepted:
            yield Problem(path, f"has no {test}")
        elif has_test and path in excepted:
            yield Problem(path, "has its test now: remove it from checks/exceptions.toml")
    for path in excepted - wanted.keys():
        yield Problem(path, "is in checks/exceptions.toml but has no logic or is gone")


def test_of(path: str) -> str:
    """The path of the test file of a source file."""
    inner = PurePosixPath(path.removeprefix(_SRC))
    name = inner.parent.name if inner.name == "__init__.py" else inner.stem
    return str(PurePosixPath("tests/unit") / inner.parent / f"test_{name}.py")


def _has_logic(module: Module) -> bool:
    """Whether any function does something. Protocols and plain values do nothing."""
    return any(_does_something(n) for n in module.syntax.body)


def _does_something(node: ast.AST) -> bool:
    if isinstance(node, Function):
        return not is_trivial(node)
    if isinstance(node, ast.ClassDef) and is_protocol(node):
        return False
    return any(_does_something(child) for child in ast.iter_child_nodes(node))
