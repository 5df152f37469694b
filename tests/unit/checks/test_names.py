from pathlib import Path

import pytest

from checks import names
from support.small_tree import grumbles, plant

LOGIC = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("src/lockgate/wire/utils.py", False),
        ("src/lockgate/wire/url_helpers.py", False),
        ("src/lockgate/common/a.py", False),
        ("tests/unit/test_base.py", False),
        ("src/lockgate/store/database.py", True),
    ],
)
def test_empty_names(tmp_path: Path, path: str, fits: bool) -> None:
    assert bool(grumbles(names.find_empty_names, plant(tmp_path, {path: ""}))) is not fits


@pytest.mark.parametrize(
    "text",
    [
        LOGIC,
        "class A:\n    def f(self):\n        return 1\n",
        "if x:\n    async def f():\n        return 1\n",
    ],
)
def test_logic_needs_a_test(tmp_path: Path, text: str) -> None:
    found = grumbles(names.find_missing_tests, plant(tmp_path, {"src/lockgate/wire/a.py": text}))
    assert found == ["src/lockgate/wire/a.py: has no tests/unit/wire/test_a.py"]


@pytest.mark.parametrize(
    "text",
    [
        "X = 1\n",
        "class A:\n    x: int\n",
        "class P(Protocol):\n    def f(self) -> int: ...\n",
        "class P(Protocol[T]):\n    def f(self) -> int:\n        return 1\n",
        "class E(Exception):\n    pass\n",
    ],
)
def test_values_and_protocols_need_none(tmp_path: Path, text: str) -> None:
    tree = plant(tmp_path, {"src/lockgate/model/a.py": text})
    assert not grumbles(names.find_missing_tests, tree)


def test_the_mirror_follows_folders_and_packages() -> None:
    assert names.test_of("src/lockgate/app/demo/a.py") == "tests/unit/app/demo/test_a.py"
    assert names.test_of("src/lockgate/app/__init__.py") == "tests/unit/app/test_app.py"


def test_an_exception_holds_only_while_it_is_needed(tmp_path: Path) -> None:
    source, excepted = "src/lockgate/wire/a.py", 'mirror = ["src/lockgate/wire/a.py"]\n'
    files = {source: LOGIC, "checks/exceptions.toml": excepted}
    assert not grumbles(names.find_missing_tests, plant(tmp_path, files))
    files["tests/unit/wire/test_a.py"] = ""
    assert "remove it" in grumbles(names.find_missing_tests, plant(tmp_path, files))[0]
