"""Things we do not do: catch everything, import inside functions, mock, sleep, read the clock."""

import ast
from collections.abc import Iterator

from checks.tree import Problem, Tree, dotted

LOADS_BY_NAME = "src/lockgate/app/stores.py"
"""The one file with an adapter table."""
_BROAD = {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"}
_CLOCK = {"now", "utcnow", "today"}
_MOCKING = {"mock", "pytest_mock"}


def find_broad_excepts(tree: Tree) -> Iterator[Problem]:
    """Only the places that ``[excepts]`` names, each for its purpose, may catch everything.

    A handler that tidies up and always ends in a bare ``raise`` has caught nothing.
    """
    allowed: dict[str, str] = tree.exceptions.get("excepts", {})
    seen = set()
    for module in tree.modules:
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler | ast.Call) and _is_broad(node):
                place = f"{module.path}::{module.owners.get(node, '')}"
                seen.add(place)
                if place not in allowed.values():
                    yield Problem(module.at(node), f"catches everything, in {place}")
    for purpose, place in allowed.items():
        if place not in seen:
            yield Problem("checks/exceptions.toml", f"{purpose}: {place} catches nothing broad")


def _is_broad(node: ast.ExceptHandler | ast.Call) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return (node.type is None or _names_all(node.type)) and not _passes_on(node)
    return dotted(node.func).endswith("suppress") and any(_names_all(a) for a in node.args)


def _passes_on(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    leaves = any(isinstance(n, ast.Return | ast.Break | ast.Continue) for n in ast.walk(node))
    return isinstance(last, ast.Raise) and last.exc is None and not leaves


def _names_all(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return any(_names_all(e) for e in node.elts)
    return dotted(node) in _BROAD


def find_late_imports(tree: Tree) -> Iterator[Problem]:
    """Imports stand at the top of a file; nothing is loaded by name."""
    excepted = set(tree.exceptions.get("imports", []))
    for module in tree.modules:
        if module.path in excepted or module.path == LOADS_BY_NAME:
            continue
        for node in module.owners:
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield Problem(module.at(node), "imports inside a function")
        for call in module.calls:
            if dotted(call.func) in {"importlib.import_module", "import_module", "__import__"}:
                yield Problem(module.at(call), "loads a module by name")


def find_mocks(tree: Tree) -> Iterator[Problem]:
    """Real parts or small fakes. ``monkeypatch.setenv`` is no mock."""
    for module in tree.modules:
        for node in module.nodes:
            if isinstance(node, ast.Import | ast.ImportFrom) and _imports_mock(node):
                yield Problem(module.at(node), "imports a mocking library")
        for call in module.calls:
            if dotted(call.func) in {"monkeypatch.setattr", "monkeypatch.setitem"}:
                yield Problem(module.at(call), "replaces a part of the program")


def _imports_mock(node: ast.Import | ast.ImportFrom) -> bool:
    names = {a.name for a in node.names}
    if isinstance(node, ast.ImportFrom):
        names = {node.module or "", *(f"{node.module}.{n}" for n in names)}
    return any(n.split(".")[0] in _MOCKING or n.startswith("unittest.mock") for n in names)


def find_sleeps(tree: Tree) -> Iterator[Problem]:
    """Tests wait for what they wait for. ``asyncio.sleep(0)`` only lets others run."""
    for module in tree.under("tests/"):
        for call in module.calls:
            name = dotted(call.func)
            if name.split(".")[-1] == "sleep" and not (name != "time.sleep" and _is_zero(call)):
                yield Problem(module.at(call), "sleeps: wait for an event, with a deadline")


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def find_clock_reads(tree: Tree) -> Iterator[Problem]:
    """Time is one fact a call, or comes through a port."""
    for module in tree.under("src/"):
        for node in module.nodes:
            if not isinstance(node, ast.Attribute) or node.attr not in _CLOCK:
                continue
            if dotted(node.value).split(".")[-1] in {"datetime", "date"}:
                yield Problem(module.at(node), f"reads the clock with {dotted(node)}")
