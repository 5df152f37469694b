"""Writes the documents that are generated from the code; ``--check`` says which are out of date.

A new generated document is one function and one line in ``GENERATORS``.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from lockgate.model.reasons import REASONS, Reason

_ABOUT_REASONS = """\
# Reasons

Every way Lockgate says yes or no. A code is never reused. A refused `tools/call` is a tool result
with `isError: true`; any other refusal is a JSON-RPC error with the code below. The HTTP status is
used where the refusal is the whole answer to a POST.

Generated from `src/lockgate/model/reasons.py` by `make docs`; do not edit."""

ROOT = Path(__file__).resolve().parent.parent


def reasons() -> Iterator[str]:
    """``docs/reasons.md``: the reason catalogue, one table an area."""
    yield _ABOUT_REASONS
    by_code = sorted(REASONS.values(), key=lambda r: r.code)
    for area, found in groupby(by_code, key=lambda r: r.code.partition(".")[0]):
        yield ""
        yield f"## {area}"
        yield ""
        yield "| Code | What it says | What would make it pass | JSON-RPC | HTTP |"
        yield "|---|---|---|---|---|"
        yield from (_row(reason) for reason in found)


def _row(reason: Reason) -> str:
    texts = (t.replace("|", r"\|") for t in (reason.says, reason.remedy))
    return f"| `{reason.code}` | {' | '.join(texts)} | {reason.rpc} | {reason.http} |"


GENERATORS: dict[str, Callable[[], Iterator[str]]] = {
    "docs/reasons.md": reasons,
}


def stale(root: Path) -> list[str]:
    """The generated documents below ``root`` that are not what the code says."""
    return [name for name in GENERATORS if _read(root / name) != _text(name)]


def write(root: Path) -> None:
    for name in stale(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(name))
        print(f"wrote {name}")


def _text(name: str) -> str:
    return "\n".join(GENERATORS[name]()) + "\n"


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        write(ROOT)
        return 0
    old = stale(ROOT)
    for name in old:
        print(f"{name} is not what the code says: run make docs")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
