"""docs/requirements.toml: every requirement has a test, every behavioural test a requirement."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from checks.tree import Problem, Tree

MANIFEST = "docs/requirements.toml"
CLAIMED = ("tests/attacks/", "tests/e2e/", "tests/faults/", "tests/scenarios/")
"""Each test file in these folders must be named by a requirement."""
_FIELDS = {"id", "source", "text", "tests"}
_ID = re.compile(r"[A-Z]+-[0-9]{2,}[a-z]?")


def find(tree: Tree) -> Iterator[Problem]:
    if MANIFEST not in tree.files:
        yield Problem(MANIFEST, "is missing")
        return
    entries = tomllib.loads(tree.files[MANIFEST].read_text())["requirement"]
    yield from _find_malformed(entries)
    index = _Index(tree)
    named: set[str] = set()
    for entry in entries:
        if not entry.get("tests"):
            yield Problem(MANIFEST, f"{entry['id']} has no test: {entry['text']}")
        for test in entry.get("tests", ()):
            named.add(test.split("::")[0])
            if not index.has(test):
                yield Problem(MANIFEST, f"{entry['id']} names {test}, which does not exist")
    for path in sorted(_behavioural(tree) - named):
        yield Problem(path, f"is named by no requirement in {MANIFEST}")


def _find_malformed(entries: list[dict[str, Any]]) -> Iterator[Problem]:
    seen = set()
    for entry in entries:
        if entry.keys() != _FIELDS or not _ID.fullmatch(entry["id"]):
            yield Problem(MANIFEST, f"{entry.get('id')} needs exactly {', '.join(sorted(_FIELDS))}")
        if entry["id"] in seen:
            yield Problem(MANIFEST, f"{entry['id']} is there twice")
        seen.add(entry["id"])


def _behavioural(tree: Tree) -> set[str]:
    return {
        name
        for name in tree.files
        if name.startswith(CLAIMED)
        and (name.rpartition("/")[2].startswith("test_") or name.endswith((".toml", ".jsonl")))
    }


class _Index:
    """Looks up ``path``, ``path::test``, ``path::Class::test`` and ``Makefile::target``."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._modules = {m.path: m for m in tree.modules}
        self._known: dict[str, set[str]] = {}

    def has(self, test: str) -> bool:
        path, _, name = test.partition("::")
        if path not in self._tree.files:
            return False
        return not name or name.split("[")[0].replace("::", ".") in self._names(path)

    def _names(self, path: str) -> set[str]:
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: str) -> set[str]:
        if path == "Makefile":
            text = self._tree.files[path].read_text()
            return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))
        if path not in self._modules:
            return set()
        names = {name for name, _ in self._modules[path].functions}
        return names | {name.rpartition(".")[0] for name in names if "." in name}


def counts(tree: Tree) -> Mapping[str, int]:
    """For the report: how many requirements there are, and how many without a test."""
    entries = tomllib.loads(tree.files[MANIFEST].read_text())["requirement"]
    return {"all": len(entries), "untested": sum(not e["tests"] for e in entries)}
