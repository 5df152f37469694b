import sys
from pathlib import Path

import pytest

from lockgate.app.office import LocalOffice, gate_url, login_account, this_machine, this_program
from lockgate.app.settings import Listen, Settings
from lockgate.app.settings_tls import TlsSettings
from lockgate.control_plane.cli.office import PoliciesSeen
from lockgate.control_plane.services.privileges import Rules
from lockgate.control_plane.services.refused import Misconfigured
from lockgate.model import KeyRecord, StoreDown
from support.postgres import Server

TLS = TlsSettings(certificate="c.pem", key="k.pem")
KEY = KeyRecord("k", "personal", "a", "a", frozenset({"r"}), "", "h", 1, 2)


def office(tmp_path: Path, text: str = "") -> LocalOffice:
    config = tmp_path / "lockgate.yaml"
    config.write_text(text)
    return LocalOffice(config)


def test_stores_are_made_when_opened_and_kept(tmp_path: Path) -> None:
    made = office(tmp_path)
    assert not made.has_records()
    with made.open() as records:
        records.keys.add(KEY)
        pepper = records.pepper
    assert made.has_records()
    with made.open() as records:
        assert records.keys.list() == (KEY,)
        assert records.pepper == pepper


def test_stores_may_be_in_postgresql(
    tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.database(made=False) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        made = office(tmp_path, "database: env:DATABASE_URL")
        assert not made.has_records()
        with made.open() as records:
            records.keys.add(KEY)
        assert made.has_records()
        with made.open() as records:
            assert records.keys.list() == (KEY,)
    assert not (tmp_path / "data" / "lockgate.db").exists()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_a_database_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    made = office(tmp_path, "database: env:NO_SUCH_VARIABLE")
    assert made.has_records(), "so that opening it says what is wrong"
    with pytest.raises(StoreDown, match="NO_SUCH_VARIABLE"), made.open():
        pass


def test_the_deployment_as_the_commands_see_it(tmp_path: Path) -> None:
    made = office(tmp_path, "upstreams: {git: {command: g, args: [a], env: {A: 'file:s'}}}")
    found = made.deployment()
    assert found.data_dir == tmp_path / "data"
    assert found.url == "http://127.0.0.1:8765/mcp"
    assert found.upstreams[0].argv == ("g", "a")
    assert found.upstreams[0].env == {"A": f"file:{tmp_path}/s"}


def test_a_broken_configuration(tmp_path: Path) -> None:
    made = office(tmp_path, "zzz: 1")
    assert made.check()[0].line == 1
    assert made.check("data_dir: x") == ()
    with pytest.raises(Misconfigured):
        made.deployment()


def test_policies_are_checked(tmp_path: Path) -> None:
    made = office(tmp_path)
    assert "cannot be read" in made.check_policies().problems[0].what
    folder = tmp_path / "policies"
    folder.mkdir()
    assert made.check_policies() == PoliciesSeen(0)
    (folder / "a.cedar").write_text("permit(principal, action, resource);")
    (folder / "b.cedar").write_text("permit(principal, action, resource) when { nonsense };")
    (folder / "c.cedar").write_bytes(b"\xff")
    found = made.check_policies()
    assert found.count == 3
    assert {Path(p.file).name for p in found.problems} == {"b.cedar", "c.cedar"}


def test_arguments_that_clash_are_a_problem(tmp_path: Path) -> None:
    tools = "tools: {t: {arguments: {n: %s}}}"
    made = office(
        tmp_path,
        "upstreams:\n"
        f"  a: {{command: x, {tools % 'long'}}}\n  b: {{command: x, {tools % 'string'}}}\n",
    )
    (tmp_path / "policies").mkdir()
    assert "'n'" in made.check_policies().problems[0].what


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (Listen(host="[::1]", port=1), "http://[::1]:1/mcp"),
        (
            Listen(host="10.0.0.1", hosts=("g.example",), behind_tls_proxy=True),
            "https://g.example/mcp",
        ),
        (Listen(port=9), "http://127.0.0.1:9/mcp"),
        (Listen(port=9, tls=TLS), "https://localhost:9/mcp"),
        (Listen(port=9, tls=TLS, hosts=("g.example",)), "https://g.example:9/mcp"),
    ],
)
def test_where_clients_reach_the_gate(listen: Listen, url: str) -> None:
    assert gate_url(Settings(listen=listen)) == url


def test_who_types_is_not_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = this_machine().person
    for name in ("USER", "LOGNAME", "SUDO_USER", "SUDO_UID"):
        monkeypatch.setenv(name, "somebody-else")
    assert this_machine().person == before != ""


@pytest.mark.parametrize(
    ("kernel", "name"), [("0", "root"), ("3999999999", "uid 3999999999"), ("x", None),
                         ("4294967295", None)],
)  # fmt: skip
def test_the_login_counts_where_the_kernel_knows_it(
    tmp_path: Path, kernel: str, name: str | None
) -> None:
    place = tmp_path / "loginuid"
    place.write_text(kernel)
    runs_as = login_account(tmp_path / "no such file")
    assert login_account(place) == (name or runs_as)


def test_the_rules_on_roles_are_the_settings(tmp_path: Path) -> None:
    assert office(tmp_path).admin_rules() == Rules()
    text = """
admin:
  enforced: true
  granters: [os:carol, os:alice, oidc:77]
  two_people: [operator]
  longest_hours: 0.5
  accounts: {alice: "248"}
"""
    assert office(tmp_path, text).admin_rules() == Rules(
        True, frozenset({"os:carol", "oidc:248", "oidc:77"}), frozenset({"operator"}),
        1_800_000, {"alice": "248"},
    )  # fmt: skip


def test_this_machine_and_program(tmp_path: Path) -> None:
    assert this_machine().user
    assert this_machine().platform == sys.platform
    assert Path(this_program()[0]).is_absolute()
    made = office(tmp_path)
    assert len(made.random_bytes(5)) == 5
    assert made.now_ms() > 1_700_000_000_000
    assert made.pause(0)
    assert "properties" in made.schema()
