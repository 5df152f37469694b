"""Every place in the code where a message is put together, found in the code, and which were used.

A message leaves the gateway only after one of the ``encode`` functions of ``wire`` has made it, or
made an event or a line of it; so whoever calls one of them is an exit.
"""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lockgate.wire import jsonrpc, streams
from support.gateway import ROOT

SOURCE = ROOT / "src" / "lockgate"
ENCODERS = frozenset(
    name for module in (jsonrpc, streams) for name in vars(module) if name.startswith("encode")
)
_ROOMS = ("app", "upstream", "pipeline", "wire", "control_plane")
_THEMSELVES = {"wire/jsonrpc.py", "wire/streams.py"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def exits() -> set[str]:
    """``file::function`` of each, the file below ``src/lockgate``."""
    return {
        f"{path.relative_to(SOURCE)}::{name}"
        for room in _ROOMS
        for path in (SOURCE / room).glob("*.py")
        if str(path.relative_to(SOURCE)) not in _THEMSELVES
        for name in _encoding(ast.parse(path.read_text()), "")
    }


def _encoding(node: ast.AST, inside: str) -> Iterator[str]:
    """Qualified names of the innermost functions that mention an encoder."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            named = f"{inside}{child.name}"
            if _mentions(child):
                yield named
            yield from _encoding(child, f"{named}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _encoding(child, f"{inside}{child.name}.")


def _mentions(function: _Function) -> bool:
    for node in ast.walk(function):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in ENCODERS:
            return True
    return False


@contextmanager
def used(found: set[str]) -> Iterator[None]:
    """Adds to ``found`` the functions of ours that run meanwhile, as ``exits`` names them."""
    below = len(str(SOURCE)) + 1
    codes: set[Any] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            codes.add(frame.f_code)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        for code in codes:
            if Path(code.co_filename).is_relative_to(SOURCE):
                found.add(f"{code.co_filename[below:]}::{code.co_qualname}")
