"""``lockgate demo`` as a user starts it: from an empty directory, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lockgate.app.demo.scenes import SCENES
from lockgate.app.demo.second_gate import WORKLOAD
from support.demo_provider import NODE_PATH
from support.processes import until

pytestmark = pytest.mark.e2e
SIGN_IN = "People who sign in, programs that show certificates"
WITHOUT_NODE = {"clinic", "time", "git", "fetch"}
DEADLINE = 120.0
"""Seconds. It takes a tenth of it; other tests run beside it."""
ENDS = 20.0


@contextmanager
def _demo(home: Path, *options: str, node: bool = True) -> "Iterator[subprocess.Popen[bytes]]":
    """``home`` marks the process and all it starts: upstreams inherit HOME and little else.
    ``node``: what npm installed for the tests is there."""
    (home / "here").mkdir(parents=True)
    (home / "tmp").mkdir()
    here = os.environ.get("PATH", "").split(os.pathsep)
    others = [folder for folder in here if folder not in NODE_PATH.split(os.pathsep)]
    first = [str(Path(sys.executable).parent), *([NODE_PATH] if node else [])]
    path = os.pathsep.join([*first, *others])
    env = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PATH": path,
           "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # fmt: skip
    with (home / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "lockgate.app.main", "demo", *options],
            cwd=home / "here", env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(ENDS)


def _left_of(home: Path) -> list[str]:
    """What runs with this HOME."""
    mark = b"HOME=" + os.fsencode(home) + b"\0"
    return [name for name in filter(str.isdigit, os.listdir("/proc")) if mark in _environ(name)]


def _environ(process: str) -> bytes:
    try:
        return Path("/proc", process, "environ").read_bytes()
    except OSError:  # ended meanwhile, or another user's
        return b""


def _out(home: Path) -> str:
    return (home / "out").read_text()


def _status(url: str) -> int:
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, b"{}", 10).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code
    return 200


def test_every_scene_goes_as_told_and_nothing_remains(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with _demo(home) as process:
        code = process.wait(DEADLINE)
        until(lambda: not _left_of(home), ENDS)
    said = _out(home)
    assert code == 0, said
    for number, scene in enumerate(SCENES, 1):
        assert f"\n{number}. {scene.name}\n" in said
    assert f"{len(SCENES)} scenes, " in said
    assert "all as told" in said
    assert "NO  " not in said
    assert "Claude Desktop, in claude_desktop_config.json:" in said
    told = _scene(said, SIGN_IN)
    for who in (
        "alice via desk-agent (oauth)",
        f"alice via desk-agent on {WORKLOAD} (mtls, oauth)",
        f"bob via desk-agent on {WORKLOAD} (mtls, oauth)",
    ):
        assert f"who {who}" in told
    assert "because policy.cedar: notes-on-own-machines" in told
    assert "\x1b" not in said
    assert os.listdir(home / "here") == []
    assert os.listdir(home / "tmp") == []


def _scene(said: str, name: str) -> str:
    """What was printed of it, on one line."""
    begins = said.index(f". {name}\n")
    return " ".join(said[begins : said.index(f"\n{_number(name) + 1}. ", begins)].split())


def _number(name: str) -> int:
    return [scene.name for scene in SCENES].index(name) + 1


def test_it_stays_open_until_it_is_told_to_stop(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with _demo(home, "--json", "--serve", node=False) as process:
        until(lambda: _out(home).endswith("}\n") or process.poll() is not None, DEADLINE)
        report = json.loads(_out(home))
        assert report["as_told"], report["scenes"]
        assert [scene["name"] for scene in report["scenes"]] == [scene.name for scene in SCENES]
        assert {one["name"] for one in report["upstreams"]} == WITHOUT_NODE
        left_out = {scene["name"]: scene["left_out"] for scene in report["scenes"]}
        assert [name for name, why in left_out.items() if why] == [SIGN_IN]
        assert "Node.js" in left_out[SIGN_IN]
        assert _status(report["url"]) == 401
        assert _left_of(home) != [str(process.pid)]  # its upstreams run
        process.send_signal(signal.SIGINT)
        assert process.wait(ENDS) == 0
        until(lambda: not _left_of(home), ENDS)
    assert os.listdir(home / "tmp") == []


def test_an_interrupt_while_servers_start_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with _demo(home) as process:
        until(lambda: "Starting the servers" in _out(home), DEADLINE)
        until(lambda: len(_left_of(home)) > 1, DEADLINE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS) == 130
        until(lambda: not _left_of(home), ENDS)
    assert os.listdir(home / "tmp") == []
