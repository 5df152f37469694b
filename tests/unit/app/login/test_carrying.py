import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.bearer import Bearer
from lockgate.app.login.carrying import by_login
from lockgate.app.login.store import InsecureFile
from support.authorization_server import TOKENS, Scripted, scripted

URL = "http://127.0.0.1:9/mcp"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    server = Scripted()
    server.base = "http://127.0.0.1:9"
    InsecureFile(tmp_path / "login.json").put(server.grant(expires=4e9))
    return tmp_path / "login.json"


def found(file: Path, url: str = URL) -> Bearer | None:
    return by_login(url, {"--insecure-file": str(file)})


async def test_the_login_of_a_gateway_is_shown_at_all_its_endpoints(file: Path) -> None:
    for url in (URL, f"{URL}/clinic"):
        bearer = found(file, url)
        assert bearer is not None
        assert await bearer.current() == "at-1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:10/mcp", "not signed in to http://127.0.0.1:10/mcp"),
        ("http://gate.example/mcp", "not https://"),
        ("http://127.0.0.1:9/other", "not signed in"),
    ],
)
def test_nowhere_else(file: Path, url: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(file, url) is None
    assert why in capsys.readouterr().err


def test_a_login_for_another_resource_is_not_shown(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = file.read_text().replace('"resource":"http://127.0.0.1:9/mcp"',
                                    '"resource":"https://other.example/mcp"')  # fmt: skip
    file.write_text(text)
    assert found(file) is None
    assert "is for https://other.example/mcp" in capsys.readouterr().err


def test_without_a_keychain_there_is_no_login(capsys: pytest.CaptureFixture[str]) -> None:
    assert by_login("http://127.0.0.1:1/mcp", {"--login": ""}) is None
    assert capsys.readouterr().err


async def test_a_renewal_under_way_is_kept_when_the_client_ends_the_shim(tmp_path: Path) -> None:
    """The server has taken the old refresh token by then: without the new one the login is over."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(form: dict[str, str]) -> tuple[int, Any]:
        asked.set()
        await go.wait()
        return 200, {**TOKENS, "access_token": "at-2", "refresh_token": "rt-2"}

    async with scripted() as server:
        server.posts["/token"] = slow
        store = InsecureFile(tmp_path / "login.json")
        store.put(server.grant(expires=1.0))
        shim = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockgate.app.main", "stdio", "--url", f"{server.base}/mcp",
            "--insecure-file", tmp_path / "login.json", stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert shim.stdin is not None
        shim.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        await asyncio.wait_for(asked.wait(), 30)
        shim.send_signal(signal.SIGTERM)
        go.set()
        assert await asyncio.wait_for(shim.wait(), 30) == 128 + signal.SIGTERM
        kept = store.get(f"{server.base}/mcp")
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == ("at-2", "rt-2")
