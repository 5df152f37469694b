import json
from pathlib import Path

from checks import pins
from support.small_tree import grumbles, plant

ASKED = """
[build-system]
requires = ["hatchling"]
[project]
dependencies = ["ruamel.yaml>=0.19"]
optional-dependencies = {demo = ["mcp==2.3.0"]}
"""
LOCK = """\
hatchling==1.0 ; python_version >= '3' \\
    --hash=sha256:00
mcp==2.3.0 \\
    --hash=sha256:00
ruamel-yaml==0.20 \\
    --hash=sha256:00
"""


def said(tmp_path: Path, lock: str, node: object = None) -> list[str]:
    files = {"pyproject.toml": ASKED, pins.LOCK: lock}
    if node is not None:
        files[pins.NODE_LOCK] = json.dumps({"packages": node})
    return grumbles(pins.find, plant(tmp_path, files))


def test_a_lock_that_holds_everything(tmp_path: Path) -> None:
    assert said(tmp_path, LOCK, {"": {}, "node_modules/a": {"integrity": "sha512-x"}}) == []


def test_what_is_missing_or_too_old_or_without_hash(tmp_path: Path) -> None:
    assert "mcp==2.3.0" in said(tmp_path, LOCK.replace("2.3.0", "2.2.0"))[0]
    assert "ruamel.yaml>=0.19" in said(tmp_path, LOCK.replace("0.20", "0.18"))[0]
    assert "hatchling" in said(tmp_path, LOCK.partition("\n    --hash=sha256:00\n")[2])[0]
    assert said(tmp_path, LOCK.removesuffix("    --hash=sha256:00\n")) == [
        "requirements.lock: ruamel-yaml has no hash"
    ]


def test_npm_packages_have_hashes_and_no_addresses(tmp_path: Path) -> None:
    entries = {"a": {"integrity": "sha512-x", "resolved": "somewhere"}, "b": {}}
    assert len(said(tmp_path, LOCK, entries)) == 2
