"""Nothing is given as a reason that the catalogue lacks, nor listed there and never said."""

import ast
import re
import runpy
from collections.abc import Iterator, Set

from checks.tree import Module, Problem, Tree, dotted

CATALOGUE = "src/lockgate/model/reasons.py"
_CODE = re.compile(r"[a-z]+\.[a-z]+(-[a-z]+)*")
_CONTROL_FIRST = "Verdict"
"""``Verdict(control, effect, reason)``: its first argument only looks like a reason."""
_SAYS_WHY = re.compile(r"(Verdict|Refus(al|ed)|Failed|NotPermitted)$")


def find(tree: Tree) -> Iterator[Problem]:
    if CATALOGUE not in tree.files:
        return
    codes = listed(tree)
    said: set[str] = set()
    for module in tree.under("src/"):
        if module.path == CATALOGUE:
            continue
        said |= {_string(n) for n in module.nodes}
        for node, code in _reasons(module):
            if code not in codes:
                yield Problem(module.at(node), f"gives the reason {code!r}, which is not listed")
    for code in sorted(codes - said):
        yield Problem(CATALOGUE, f"lists {code!r}, which nothing says")


def listed(tree: Tree) -> Set[str]:
    """The codes in the catalogue of this tree, which is run, not imported."""
    return set(runpy.run_path(str(tree.files[CATALOGUE]))["REASONS"])


def _reasons(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """Literals that are given as a reason: ``reason="a.b"`` and arguments of refusals."""
    for node in module.calls:
        name = dotted(node.func).split(".")[-1]
        given = [k.value for k in node.keywords if k.arg == "reason"]
        if _SAYS_WHY.search(name):
            given += node.args[1:] if name == _CONTROL_FIRST else node.args
        for value in given:
            code = _string(value)
            if _CODE.fullmatch(code):
                yield value, code


def _string(node: ast.AST) -> str:
    """What a string literal holds; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
