from pathlib import Path

import pytest

from checks import sizes
from support.small_tree import grumbles, plant

CONTROL = "class Quota:\n    id = 'policy.quota'\n    needs: int = 0\n    def check(self): ...\n"
EXCEPTED = "checks/exceptions.toml"


def lines(count: int, start: str = "") -> str:
    return start + "x = 1\n" * (count - start.count("\n"))


def function(count: int, docstring: int = 0) -> str:
    words = ['    """'] + ["    word"] * (docstring - 2) + ['    """'] if docstring else []
    return "\n".join(["def f():", *words, *["    x = 1"] * (count - 1), ""])


@pytest.mark.parametrize(
    ("path", "text", "fits"),
    [
        ("src/lockgate/wire/a.py", lines(300), True),
        ("src/lockgate/wire/a.py", lines(301), False),
        ("tests/unit/test_a.py", lines(500), True),
        ("tests/unit/test_a.py", lines(501), False),
        ("src/lockgate/policy/a.py", lines(120, CONTROL), True),
        ("src/lockgate/policy/a.py", lines(121, CONTROL), False),
        ("src/lockgate/wire/a.py", lines(121, CONTROL), True),
        ("src/lockgate/policy/a.py", lines(121), True),
        ("src/lockgate/inspection/detectors/a.py", lines(60), True),
        ("src/lockgate/inspection/detectors/a.py", lines(61), False),
        ("src/lockgate/wire/a.py", function(40), True),
        ("src/lockgate/wire/a.py", function(41), False),
        ("src/lockgate/wire/a.py", function(40, docstring=9), True),
        ("tests/unit/test_a.py", function(60), True),
        ("tests/unit/test_a.py", function(61), False),
    ],
)
def test_bounds(tmp_path: Path, path: str, text: str, fits: bool) -> None:
    assert bool(grumbles(sizes.find, plant(tmp_path, {path: text}))) is not fits


@pytest.mark.parametrize(
    ("length", "allowed", "says"),
    [
        (320, 320, []),
        (321, 320, ["321 lines, 300 are allowed"]),
        (501, 600, ["501 lines, 300 are allowed"]),
        (300, 320, ["is short enough now"]),
    ],
)
def test_an_exception_may_not_grow_nor_outlive_its_need(
    tmp_path: Path, length: int, allowed: int, says: list[str]
) -> None:
    files = {"src/a.py": lines(length), EXCEPTED: f'[sizes]\n"src/a.py" = {allowed}\n'}
    found = grumbles(sizes.find, plant(tmp_path, files))
    assert len(found) == len(says)
    assert all(want in got for want, got in zip(says, found, strict=True))


def test_an_exception_for_what_is_gone_is_a_problem(tmp_path: Path) -> None:
    tree = plant(tmp_path, {EXCEPTED: '[sizes]\n"src/a.py::f" = 50\n'})
    assert "not in the code" in grumbles(sizes.find, tree)[0]
