import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lockgate.app.demo.command import Wish
from lockgate.app.demo.narration import LeftOut, Telling
from lockgate.app.demo.scenes import Scene
from lockgate.app.demo.show import play
from lockgate.app.demo.stage import Stage
from lockgate.app.demo.upstreams import Behind, Found, Missing

ABSENT = Missing("memory", "not on the PATH")


def _nothing(_: Path) -> Found:
    return (), (ABSENT,)


def _broken(_: Path) -> Found:
    return (Behind("broken", "", ("/nowhere/at/all",)),), ()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the demo makes its directory."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    tempfile.tempdir = None  # it remembers the first answer
    yield place
    tempfile.tempdir = None


async def _good(stage: Stage, told: Telling) -> None:
    told.that("It is open.", (await stage.raw.post(stage.url)).status_code == 401)


async def _bad(stage: Stage, told: Telling) -> None:
    told.that("It is shut.", False)


async def _absent(stage: Stage, told: Telling) -> None:
    raise LeftOut("It needs a moon.")


async def _interrupted(stage: Stage, told: Telling) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


def _scenes(*functions: Any) -> list[Scene]:
    return [Scene(f.__name__, "Why not.", f) for f in functions]


def test_a_demo_that_goes_as_told_leaves_nothing(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(Wish(), _scenes(_good), _nothing) == 0
    said = capsys.readouterr().out
    assert "--  memory      left out: not on the PATH" in said
    assert "ok  It is open." in said
    assert "1 scene, 1 claim checked" in said
    assert "all as told" in said
    assert list(temporary.iterdir()) == []


def test_one_that_does_not_says_so_and_keeps_everything(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(Wish(), _scenes(_bad, _good), _broken) == 1
    said = capsys.readouterr().out
    assert "NO  broken: upstream." in said
    assert "NOT AS TOLD: _bad" in said
    (kept,) = temporary.iterdir()
    assert (kept / "lockgate.yaml").exists()
    assert str(kept) in said


def test_scenes_that_were_left_out_are_not_counted_as_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert play(Wish(), _scenes(_good, _absent), _nothing) == 0
    assert "1 scene (1 more left out), 1 claim checked" in capsys.readouterr().out


def test_as_json_nothing_else_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert play(Wish(as_json=True), _scenes(_good, _bad), _nothing) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["as_told"], report["missing"]) == (False, {"memory": "not on the PATH"})
    assert [(s["name"], s["as_told"], s["said"], s["wrong"]) for s in report["scenes"]] == [
        ("_good", True, ["It is open."], ""),
        ("_bad", False, [], "It is shut."),
    ]


def test_an_interrupt_ends_it_in_order(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(Wish(), _scenes(_interrupted), _nothing) == 130
    assert "Stopped." in capsys.readouterr().out
    assert list(temporary.iterdir()) == []


def test_a_directory_of_ones_own_is_kept(tmp_path: Path, temporary: Path) -> None:
    assert play(Wish(data=tmp_path / "mine"), _scenes(_good), _nothing) == 0
    assert (tmp_path / "mine" / "data" / "lockgate.db").exists()
    assert list(temporary.iterdir()) == []


def test_a_port_in_use_is_refused(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(typer.Exit) as left:
        play(Wish(port=taken.getsockname()[1]), [], _nothing)
    assert left.value.exit_code == 3
    assert "cannot be used" in capsys.readouterr().err
    assert list(temporary.iterdir()) == []
