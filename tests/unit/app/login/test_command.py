import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import typer
from typer.testing import CliRunner, Result

from lockgate.app.login.command import kept_elsewhere, login_command, logout_command
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.cli.program import Program
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import Scripted, query_of, scripted, visit

URL = "http://127.0.0.1:9/mcp"


class Typed:
    """Both commands at a terminal; nobody has a browser, and nobody answers at ``URL``."""

    def __init__(self, folder: Path) -> None:
        self.store = InsecureFile(folder / "login.json")
        self.opened: list[str] = []
        self._program = typer.Typer(cls=Program, pretty_exceptions_enable=False)
        self.browse: Callable[[str], object] = self.opened.append
        browse = login_command(lambda _: self.store, lambda address: self.browse(address))
        self._program.command("login")(browse)
        self._program.command("logout")(logout_command(lambda _: self.store))

    def type(self, *words: str) -> Result:
        return CliRunner().invoke(self._program, words)

    def keep(self, **members: Any) -> None:
        server = Scripted()
        server.base = "http://127.0.0.1:9"
        self.store.put(server.grant(**members))


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    return Typed(tmp_path)


def test_status_says_who_is_signed_in_and_never_a_token(typed: Typed) -> None:
    typed.keep(expires=4e9, subject="u-1", name="alice", scope="mcp:tools")
    plain = typed.type("login", "--url", URL, "--status")
    assert plain.exit_code == 0
    assert "as alice" in plain.output
    assert "renewed unattended" in plain.output
    found = typed.type("login", "--url", f"{URL}/clinic", "--status", "--json")
    said = json.loads(found.output)
    assert (said["state"], said["subject"], said["name"]) == ("active", "u-1", "alice")
    assert said["expires"].startswith("2096-")
    assert said["renewed"] is True
    for output in (plain.output, found.output):
        assert "at-1" not in output
        assert "rt-1" not in output


def test_status_of_nobody_and_of_a_login_that_has_ended(typed: Typed) -> None:
    assert typed.type("login", "--url", URL, "--status").exit_code == 1
    nobody = typed.type("login", "--url", URL, "--status", "--json")
    assert (nobody.exit_code, json.loads(nobody.output)["state"]) == (1, "none")
    typed.keep(expires=1.0, refresh_token="")
    ended = typed.type("login", "--url", URL, "--status")
    assert ended.exit_code == 1
    assert "expired" in ended.output


def test_names_from_elsewhere_do_not_steer_the_terminal(typed: Typed) -> None:
    typed.keep(name="\x1b[31mroot\nSigned in")
    said = typed.type("login", "--url", URL, "--status").output
    assert "\x1b" not in said
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--url", "http://gate.example/mcp"), "not https://"),
        (("--url", "nonsense"), "not a URL"),
        (("--url", URL), "No client id"),
        (("--url", URL, "--client-id", "cli"), "does not answer"),
    ],
)
def test_what_cannot_be_done_is_refused(typed: Typed, words: tuple[str, ...], why: str) -> None:
    found = typed.type("login", *words)
    assert found.exit_code == 3
    assert why in found.output
    assert not typed.opened


def test_a_logout_that_does_not_reach_the_server_forgets_and_says_so(typed: Typed) -> None:
    typed.keep()
    found = typed.type("logout", "--url", URL)
    assert found.exit_code == 1
    assert "has not revoked" in found.output
    again = typed.type("logout", "--url", URL, "--json")
    assert again.exit_code == 0
    assert json.loads(again.output) == {"gateway": URL, "signed_out": False, "revoked": False}
    assert typed.type("logout", "--url", URL).exit_code == 0


def test_the_gateway_s_own_program_keeps_no_logins() -> None:
    with pytest.raises(Refused):
        kept_elsewhere(None)


async def test_a_browser_is_sent_there_and_comes_back(typed: Typed) -> None:
    def browse(address: str) -> None:
        typed.opened.append(address)
        asked = query_of(address)
        back = urlencode({"code": "c", "state": asked["state"]})
        asyncio.run(visit(f"{asked['redirect_uri']}?{back}"))

    async with scripted() as server:
        server.describe()
        server.documents["/.well-known/oauth-protected-resource/mcp"] = {
            "resource": f"{server.base}/mcp", "authorization_servers": [server.base],
        }  # fmt: skip
        typed.browse = browse
        words = ("login", "--url", f"{server.base}/mcp", "--client-id", "cli", "--json")
        found = await asyncio.to_thread(typed.type, *words)
    assert found.exit_code == 0, found.output
    (address,) = typed.opened
    assert address in found.stderr
    assert json.loads(found.stdout)["gateway"] == f"{server.base}/mcp"
    assert "at-1" not in found.output
    kept = typed.store.get(f"{server.base}/mcp")
    assert kept is not None
    assert kept.access_token == "at-1"
