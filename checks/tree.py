"""The files that the checks look at, read and parsed once."""

import ast
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

FOLDERS = (".ci", "checks", "conformance", "docs", "fuzz", "scripts", "src", "tests")
_NEVER = {"__pycache__", "node_modules"}
_TEXT = {"", ".cedar", ".cedarschema", ".json", ".jsonl", ".lock", ".md", ".py", ".sh", ".sql"}
_TEXT |= {".toml", ".txt", ".yaml", ".yml", ".html", ".css", ".js"}


class Problem(NamedTuple):
    """One thing that is not as we say it is."""

    where: str
    """``path`` or ``path:line``."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A parsed Python file. What the checks ask of it is worked out once."""

    path: str
    """Relative to the project, with slashes."""
    text: str
    syntax: ast.Module

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
        return f"{self.path}:{node.lineno}"

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.syntax))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(n for n in self.nodes if isinstance(n, ast.Call))

    @cached_property
    def functions(self) -> tuple[tuple[str, Function], ...]:
        """Every function with its dotted name inside the module (``Class.method``)."""
        return tuple(_functions(self.syntax, ""))

    @cached_property
    def owners(self) -> Mapping[ast.AST, str]:
        """For every node inside a function, the dotted name of the innermost one."""
        found: dict[ast.AST, str] = {}
        for name, function in self.functions:
            found.update(dict.fromkeys(ast.walk(function), name))
        return found


class Tree:
    """A checkout, or in tests a small imitation of one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """Every text file of the project, those at its top among them."""
        # In a second working tree ``.git`` is a file of git's own.
        tops = [p for p in sorted(self.root.iterdir()) if p.is_file() and p.name != ".git"]
        found = [*tops, *(p for folder in FOLDERS for p in _walk(self.root / folder))]
        return {p.relative_to(self.root).as_posix(): p for p in found if p.suffix in _TEXT}

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """Every Python file. Raises ``SyntaxError`` for one that is not Python."""
        python = ((name, p.read_text()) for name, p in self.files.items() if p.suffix == ".py")
        return tuple(Module(name, text, ast.parse(text, name)) for name, text in python)

    def under(self, *folders: str) -> Iterator[Module]:
        """The Python files below these folders, each named with its slash."""
        return (m for m in self.modules if m.path.startswith(folders))

    @cached_property
    def exceptions(self) -> Mapping[str, Any]:
        """``checks/exceptions.toml``: kind -> what is excepted. Empty without the file."""
        path = self.root / "checks/exceptions.toml"
        return tomllib.loads(path.read_text()) if path.exists() else {}


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _NEVER)
        yield from (Path(here, name) for name in sorted(names))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):  # no expression holds a ``def``
            yield from _functions(child, prefix)


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for a name or attribute chain, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def is_trivial(function: Function) -> bool:
    """Whether the body says nothing: a docstring, ``...`` or ``pass``."""
    return all(
        isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        for s in function.body
    )


def is_protocol(node: ast.ClassDef) -> bool:
    bases = (b.value if isinstance(b, ast.Subscript) else b for b in node.bases)
    return any(dotted(b).split(".")[-1] == "Protocol" for b in bases)
