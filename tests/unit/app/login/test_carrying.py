from pathlib import Path

import pytest

from lockgate.app.bearer import Bearer
from lockgate.app.login.carrying import by_login
from lockgate.app.login.store import InsecureFile
from support.authorization_server import Scripted

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
