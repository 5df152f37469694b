"""Short files and functions. Exceptions name their size and may only shrink."""

import ast
from collections.abc import Iterator

from checks.tree import Function, Module, Problem, Tree

FILE, FILE_WALL = 300, 500
FUNCTION, FUNCTION_WALL = 40, 60
CONTROL, DETECTOR = 120, 60
_CONTROL_ROOMS = tuple(f"src/lockgate/{r}/" for r in ("policy", "inspection", "approval"))
_DETECTORS = "src/lockgate/inspection/detectors/"
_OURS = ("src/", "checks/", "scripts/")


def find(tree: Tree) -> Iterator[Problem]:
    excepted: dict[str, int] = tree.exceptions.get("sizes", {})
    measured = {}
    for name, lines, bound, wall in _measure(tree):
        measured[name] = lines
        if lines > min(max(bound, excepted.get(name, 0)), wall):
            yield Problem(name, f"{lines} lines, {bound} are allowed")
        elif lines <= bound and name in excepted:
            yield Problem(name, "is short enough now: remove it from checks/exceptions.toml")
    for name in excepted.keys() - measured.keys():
        yield Problem(name, "is in checks/exceptions.toml but not in the code")


def _measure(tree: Tree) -> Iterator[tuple[str, int, int, int]]:
    """Name, lines, bound and wall of every file and function."""
    for module in tree.modules:
        ours = module.path.startswith(_OURS)
        yield module.path, module.text.count("\n"), _file_bound(module), FILE_WALL
        bound = FUNCTION if ours else FUNCTION_WALL
        for name, function in module.functions:
            yield f"{module.path}::{name}", _lines(function), bound, FUNCTION_WALL


def _file_bound(module: Module) -> int:
    if module.path.startswith(_DETECTORS) and not module.path.endswith("__init__.py"):
        return DETECTOR
    if module.path.startswith(_CONTROL_ROOMS) and _is_control(module):
        return CONTROL
    return FILE if module.path.startswith(_OURS) else FILE_WALL


def _is_control(module: Module) -> bool:
    """A control is a class that says its ``id`` and ``needs`` and can ``check``."""
    return any(
        isinstance(n, ast.ClassDef) and {"id", "needs", "check"} <= _members(n)
        for n in module.syntax.body
    )


def _members(node: ast.ClassDef) -> set[str]:
    plain = {s.name for s in node.body if isinstance(s, Function)}
    annotated = {
        s.target.id
        for s in node.body
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
    }
    assigned = {
        t.id
        for s in node.body
        if isinstance(s, ast.Assign)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    return plain | annotated | assigned


def _lines(function: Function) -> int:
    """From ``def`` to the last line, the docstring not counted."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        said = function.body[0]
        total -= (said.end_lineno or said.lineno) - said.lineno + 1
    return total
