from typing import Any

import pytest

from lockgate.control_plane.services.recovery import VALID_MS
from support.desk import Desk

ENFORCED = "policies: policies\nadmin: {enforced: true, granters: ['os:carol', 'os:dave']}\n"
KEY = ("keys", "create", "--kind", "personal", "--owner", "a", "--expires", "1d")
FOR = ("--reason", "to rotate a key", "--for", "2h")


@pytest.fixture
def strict(desk: Desk) -> Desk:
    desk.configure(ENFORCED)
    return desk


def ask(desk: Desk, role: str = "operator") -> str:
    found: Any = desk.type("admin", "request", role, *FOR, "--json").json
    assert found["state"] == "waiting"
    return str(found["id"])


def grant(desk: Desk, who: str, request: str) -> int:
    mine = desk.machine.user
    desk.become(who)
    code = desk.type("admin", "grant", request).code
    desk.become(mine)
    return code


def test_commands_that_change_things_take_the_role(strict: Desk) -> None:
    refused = strict.type(*KEY)
    assert refused.code == 3
    assert "operator" in refused.err
    assert "lockgate admin request operator" in refused.err
    one = ask(strict)
    assert grant(strict, "opal", one) == 3, "one's own"
    assert grant(strict, "mallory", one) == 3, "no granter"
    assert strict.type(*KEY).code == 3
    assert grant(strict, "carol", one) == 0
    assert strict.type(*KEY).code == 0
    (key,) = strict.keys.list()
    strict.now += 2 * 3_600_000
    assert strict.type("keys", "revoke", key.id).code == 3
    assert not strict.keys.list()[0].revoked


def test_each_command_takes_the_fitting_role(strict: Desk) -> None:
    show = strict.type("people", "show", "alice")
    assert (show.code, "privacy_officer" in show.err) == (3, True)
    client = strict.root / "mcp.json"
    client.write_text('{"mcpServers": {"time": {"command": "t"}}}')
    before = strict.config.read_text()
    imported = strict.type("import", client, "--yes")
    assert (imported.code, "policy_author" in imported.err) == (3, True)
    assert strict.config.read_text() == before
    assert strict.type("import", client, "--dry-run").code == 0
    listed = strict.type("keys", "list")
    assert (listed.code, "reader or operator" in listed.err) == (3, True)


def test_without_enforcement_all_is_as_it_was(desk: Desk) -> None:
    assert desk.type(*KEY).code == 0


def test_a_dangerous_role_takes_two_people(strict: Desk) -> None:
    one = ask(strict, "responder")
    assert grant(strict, "carol", one) == 0
    assert grant(strict, "carol", one) == 3
    assert "waiting" in strict.type("admin", "list").out
    assert grant(strict, "dave", one) == 0
    assert "active" in strict.type("admin", "list").out


def test_the_first_role_comes_from_the_recovery_admin(desk: Desk) -> None:
    desk.configure("policies: policies\nadmin: {enforced: true}\n")
    one, other, third = ask(desk), ask(desk, "reader"), ask(desk, "responder")
    code = desk.type("admin", "recover").out.strip()
    wrong = desk.type("admin", "grant", one, "--as-recovery", answer="GUESS\n")
    assert (wrong.code, "not good" in wrong.err) == (3, True)
    given = desk.type("admin", "grant", one, other, "--as-recovery", answer=f"{code}\n")
    assert given.code == 0, given.err
    assert code not in given.out + given.err
    assert desk.type(*KEY).code == 0
    again = desk.type("admin", "grant", third, "--as-recovery", answer=f"{code}\n")
    assert again.code == 3, "used"
    fresh: Any = desk.type("admin", "recover", "--json").json
    third_try = desk.type("admin", "grant", third, "--as-recovery", answer=f"{fresh['code']}\n")
    assert "may not give" in third_try.err, "a dangerous one"


def test_an_old_code_is_refused(desk: Desk) -> None:
    one = ask(desk)
    code = desk.type("admin", "recover").out.strip()
    desk.now += VALID_MS
    assert desk.type("admin", "grant", one, "--as-recovery", answer=f"{code}\n").code == 3


def test_deny_withdraw_and_revoke(strict: Desk) -> None:
    one = ask(strict)
    assert "withdrawn" in strict.type("admin", "deny", one).out
    other = ask(strict)
    assert grant(strict, "carol", other) == 0
    found: Any = strict.type("admin", "revoke", other, "--json").json
    assert [p["state"] for p in found] == ["revoked"]
    assert strict.type(*KEY).code == 3


def test_listing(strict: Desk) -> None:
    assert "Nobody holds" in strict.type("admin", "list").err
    one = ask(strict)
    assert one in strict.type("admin", "list").out
    strict.type("admin", "deny", one)
    assert strict.type("admin", "list", "--json").json == []
    found: Any = strict.type("admin", "list", "--all", "--json").json
    assert [(p["id"], p["state"], p["reason"]) for p in found] == [
        (one, "withdrawn", "to rotate a key")
    ]


def test_who_can(strict: Desk) -> None:
    one = ask(strict)
    grant(strict, "carol", one)
    told: Any = strict.type("admin", "who-can", "--json").json
    assert (told["you"], told["enforced"]) == ("os:opal", True)
    roles = {r["role"]: r for r in told["roles"]}
    assert roles["operator"] == {
        "role": "operator", "people": 1, "granters": ["os:carol", "os:dave", "recovery"],
        "held_by": ["os:opal"],
    }  # fmt: skip
    assert roles["responder"]["granters"] == ["os:carol", "os:dave"]
    assert roles["responder"]["people"] == 2
    assert "os:carol" in strict.type("admin", "who-can").out


def test_an_account_and_its_browser_are_one_person(desk: Desk) -> None:
    desk.configure("admin: {granters: ['os:opal', 'oidc:248'], accounts: {opal: '248'}}\n")
    told: Any = desk.type("admin", "who-can", "--json").json
    assert told["you"] == "oidc:248"
    assert told["roles"][0]["granters"] == ["oidc:248", "recovery"]


@pytest.mark.parametrize(
    "words",
    [
        ("admin", "request", "king", *FOR),
        ("admin", "request", "operator", "--reason", "x"),
        ("admin", "request", "operator", "--reason", "x", "--for", "2d"),
        ("admin", "grant"),
        ("admin", "request", "operator", *FOR, "--as", "carol"),
    ],
)
def test_bad_usage(strict: Desk, words: tuple[str, ...]) -> None:
    assert strict.type(*words).code == 2
    assert strict.privileges.list() == ()


def test_no_variable_makes_anybody_somebody_else(
    strict: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "carol")
    one = ask(strict)
    assert strict.type("admin", "grant", one).code == 3
