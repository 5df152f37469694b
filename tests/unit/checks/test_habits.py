from pathlib import Path

import pytest

from checks import habits
from support.small_tree import grumbles, plant

SRC, TEST = "src/lockgate/wire/a.py", "tests/unit/wire/test_a.py"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("try: ...\nexcept Exception: ...\n", 1),
        ("try: ...\nexcept BaseException as e: print(e)\n", 1),
        ("try: ...\nexcept: ...\n", 1),
        ("try: ...\nexcept (ValueError, Exception): ...\n", 1),
        ("from contextlib import suppress\nwith suppress(Exception): ...\n", 1),
        ("try: ...\nexcept ValueError: ...\n", 0),
        ("try: ...\nexcept BaseException:\n  undo()\n  raise\n", 0),
        ("for x in y:\n try: ...\n except Exception:\n  if x: continue\n  raise\n", 1),
        ("try: ...\nexcept Exception:\n  raise ValueError from None\n", 1),
    ],
)
def test_broad_excepts(tmp_path: Path, text: str, count: int) -> None:
    assert len(grumbles(habits.find_broad_excepts, plant(tmp_path, {SRC: text}))) == count


def test_a_named_place_may_catch_everything(tmp_path: Path) -> None:
    files = {
        SRC: "class A:\n def f(self):\n  try: ...\n  except Exception: ...\n",
        "checks/exceptions.toml": f'[excepts]\ningress = "{SRC}::A.f"\n',
    }
    assert not grumbles(habits.find_broad_excepts, plant(tmp_path, files))


def test_a_named_place_that_catches_nothing_is_a_problem(tmp_path: Path) -> None:
    files = {SRC: "", "checks/exceptions.toml": f'[excepts]\ningress = "{SRC}::A.f"\n'}
    assert "ingress" in grumbles(habits.find_broad_excepts, plant(tmp_path, files))[0]


@pytest.mark.parametrize(
    ("path", "text", "count"),
    [
        (SRC, "import os\nfrom os import path\n", 0),
        (SRC, "def f():\n import os\n", 1),
        (SRC, "class A:\n def f(self):\n  from os import path\n", 1),
        (SRC, "import importlib\nx = importlib.import_module('os')\n", 1),
        (habits.LOADS_BY_NAME, "def f():\n import os\n", 0),
    ],
)
def test_late_imports(tmp_path: Path, path: str, text: str, count: int) -> None:
    assert len(grumbles(habits.find_late_imports, plant(tmp_path, {path: text}))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("import unittest.mock\n", 1),
        ("from unittest import mock\n", 1),
        ("from unittest.mock import MagicMock\n", 1),
        ("import mock\n", 1),
        ("def test_a(monkeypatch): monkeypatch.setattr(a, 'b', 1)\n", 1),
        ("def test_a(monkeypatch): monkeypatch.setenv('A', 'b')\n", 0),
        ("import mockingbird\n", 0),
    ],
)
def test_mocks(tmp_path: Path, text: str, count: int) -> None:
    assert len(grumbles(habits.find_mocks, plant(tmp_path, {TEST: text}))) == count


@pytest.mark.parametrize(
    ("path", "text", "count"),
    [
        (TEST, "import time\ntime.sleep(0)\n", 1),
        (TEST, "from time import sleep\nsleep(0.1)\n", 1),
        (TEST, "async def f(): await asyncio.sleep(0.01)\n", 1),
        (TEST, "async def f(): await asyncio.sleep(n)\n", 1),
        (TEST, "async def f(): await asyncio.sleep(0)\n", 0),
        (SRC, "async def f(): await asyncio.sleep(1)\n", 0),
    ],
)
def test_sleeps(tmp_path: Path, path: str, text: str, count: int) -> None:
    assert len(grumbles(habits.find_sleeps, plant(tmp_path, {path: text}))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("x = datetime.now(UTC)\n", 1),
        ("x = datetime.datetime.utcnow()\n", 1),
        ("clock = datetime.now\n", 1),
        ("x = date.today()\n", 1),
        ("x = clock.now\n", 0),
        ("x = datetime.fromtimestamp(0, UTC)\n", 0),
    ],
)
def test_clock_reads(tmp_path: Path, text: str, count: int) -> None:
    assert len(grumbles(habits.find_clock_reads, plant(tmp_path, {SRC: text}))) == count
