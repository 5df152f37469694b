"""A checkout of a few files, to try a check on."""

from collections.abc import Callable, Iterable
from pathlib import Path

from checks.tree import Problem, Tree


def plant(root: Path, files: dict[str, str]) -> Tree:
    """Writes ``files`` (path -> text) below ``root``."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Tree(root)


def grumbles(find: Callable[[Tree], Iterable[Problem]], tree: Tree) -> list[str]:
    """What ``find`` says of ``tree``, as text."""
    return [str(problem) for problem in find(tree)]
