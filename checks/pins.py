"""requirements.lock pins, with hashes, every package that pyproject.toml asks for."""

import json
import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from checks.tree import Problem, Tree

LOCK = "requirements.lock"
NODE_LOCK = "tests/node/package-lock.json"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<rest>.*)$")


def find(tree: Tree) -> Iterator[Problem]:
    yield from _find_python(tree)
    yield from _find_node(tree)


def _find_python(tree: Tree) -> Iterator[Problem]:
    lines = tree.files[LOCK].read_text().splitlines()
    pinned = {}
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        pin = _PIN.match(line)
        if pin is None:
            continue
        pinned[canonicalize_name(pin["name"])] = pin["version"]
        if "--hash=" not in below:
            yield Problem(LOCK, f"{pin['name']} has no hash")
    for wanted in asked_for(tree):
        version = pinned.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            yield Problem(LOCK, f"does not hold {wanted.name}{wanted.specifier}: run make lock")


def asked_for(tree: Tree) -> Iterator[Requirement]:
    """What pyproject.toml asks for, all extras and the build backend included."""
    asked = tomllib.loads(tree.files["pyproject.toml"].read_text())
    extras = asked["project"].get("optional-dependencies", {})
    for group in (
        asked["build-system"]["requires"],
        asked["project"]["dependencies"],
        *extras.values(),
    ):
        yield from (Requirement(text) for text in group)


def _find_node(tree: Tree) -> Iterator[Problem]:
    """Every npm package has its hash and no download address."""
    if NODE_LOCK not in tree.files:
        return
    for name, entry in json.loads(tree.files[NODE_LOCK].read_text())["packages"].items():
        if name and "integrity" not in entry:
            yield Problem(NODE_LOCK, f"{name} has no hash")
        if "resolved" in entry:
            yield Problem(NODE_LOCK, f"{name} names a download address")
