import pytest

from lockgate.control_plane.services.keys import DAY_MS
from lockgate.identity.api_key import hash_of, parse
from support.desk import Desk

ALICE = ("keys", "create", "--kind", "personal", "--owner", "alice", "--expires")


def only(listed: object) -> dict[str, object]:
    assert isinstance(listed, list)
    assert len(listed) == 1
    found: dict[str, object] = listed[0]
    return found


def test_a_key_is_printed_alone_and_once(desk: Desk) -> None:
    found = desk.type(*ALICE, "90d", "--role", "developer", "--role", "auditor")
    assert found.code == 0
    text = found.out.strip()
    assert parse(text) is not None
    (record,) = desk.keys.list()
    assert record.hash == hash_of(text, b"pepper")
    assert record.roles == {"developer", "auditor"}
    assert "not shown again" in found.err
    assert text not in desk.type("keys", "list", "--all", "--json").out


def test_a_key_may_go_into_a_private_file(desk: Desk) -> None:
    file = desk.root / "keys" / "alice"
    found = desk.type(*ALICE, "1w", "--key-file", file)
    assert parse(file.read_text().strip()) is not None
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in found.out + found.err


def test_a_key_file_that_exists_makes_no_key(desk: Desk) -> None:
    file = desk.root / "taken"
    file.write_text("x")
    assert desk.type(*ALICE, "1w", "--key-file", file).code == 3
    assert desk.keys.list() == ()


@pytest.mark.parametrize(("expires", "days"), [("90d", 90), ("12w", 84), ("1y", 365)])
def test_expiry(desk: Desk, expires: str, days: int) -> None:
    desk.type(*ALICE, expires)
    (record,) = desk.keys.list()
    assert record.expires == desk.now + days * DAY_MS


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("keys", "create"), 2),
        (("keys", "create", "--kind", "personal", "--expires", "1d"), 2),
        (("keys", "create", "--kind", "personal", "--owner", "a"), 2),
        (("keys", "create", "--kind", "admin", "--owner", "a", "--expires", "1d"), 2),
        ((*ALICE, "90"), 2),
        ((*ALICE, "2y"), 3),
        ((*ALICE, "0d"), 3),
        (("keys", "create", "--kind", "service", "--owner", "a", "--expires", "1d"), 3),
        ((*ALICE, "24h"), 2),
        ((*ALICE, "1d", "--network", "10.1.2.3/8"), 3),
        ((*ALICE, "1d", "--scope", "two words"), 3),
        (("keys", "rotate", "x"), 2),
        (("keys", "rotate", "x", "--overlap", "soon"), 2),
        (("keys", "rotate", "x", "--overlap", "1d"), 3),
        (("keys", "revoke"), 2),
        (("keys", "revoke", "x", "--owner", "a"), 2),
        (("keys", "revoke", "x"), 3),
    ],
)
def test_refusals(desk: Desk, words: tuple[str, ...], code: int) -> None:
    assert desk.type(*words).code == code
    assert desk.keys.list() == ()


def test_listing(desk: Desk) -> None:
    assert "no valid key" in desk.type("keys", "list").err
    desk.type(*ALICE, "1d")
    assert "alice" in desk.type("keys", "list").out
    desk.now += 2 * DAY_MS
    assert "alice" not in desk.type("keys", "list").out
    assert "expired" in desk.type("keys", "list", "--all").out
    assert desk.type("keys", "list", "--json").json == []


def test_revoking(desk: Desk) -> None:
    desk.type(*ALICE, "1d")
    desk.type(*ALICE, "1d")
    first, second = desk.keys.list()
    assert first.id in desk.type("keys", "revoke", first.id).out
    assert [r.id for r in desk.keys.list() if r.revoked] == [first.id]
    found = desk.type("keys", "revoke", "--owner", "alice", "--json").json
    assert isinstance(found, list)
    assert [r["id"] for r in found] == [second.id]
    assert found[0]["state"] == "revoked"


def test_changes_are_in_the_journal(desk: Desk) -> None:
    desk.type(*ALICE, "1d")
    (row,) = desk.events.tail(9)
    assert b"opal" in row.event.slots["actor"]


def test_scopes_and_networks(desk: Desk) -> None:
    more = ("--scope", "b", "--scope", "a", "--network", "10.0.0.0/8", "--network", "2001:db8::1")
    assert desk.type(*ALICE, "1d", *more).code == 0
    (record,) = desk.keys.list()
    assert record.scopes == {"a", "b"}
    assert record.networks == ("10.0.0.0/8", "2001:db8::1/128")
    assert "a,b" in desk.type("keys", "list").out
    assert "10.0.0.0/8,2001:db8::1/128" in desk.type("keys", "list").out
    shown = only(desk.type("keys", "list", "--json").json)
    assert (shown["scopes"], shown["networks"]) == (["a", "b"], list(record.networks))


def test_the_last_use_is_listed(desk: Desk) -> None:
    desk.type(*ALICE, "1d")
    assert "never" in desk.type("keys", "list").out
    (record,) = desk.keys.list()
    desk.keys.note_used({record.id: desk.now})
    assert "2027-01-15T08:00" in desk.type("keys", "list").out
    shown = only(desk.type("keys", "list", "--json").json)
    assert shown["used"] == "2027-01-15T08:00:00.000Z"


def test_rotating(desk: Desk) -> None:
    desk.type(*ALICE, "90d", "--role", "developer")
    (old,) = desk.keys.list()
    desk.now += 1
    found = desk.type("keys", "rotate", old.id, "--overlap", "24h")
    assert found.code == 0
    text = found.out.strip()
    new = next(r for r in desk.keys.list() if r.id != old.id)
    assert new.hash == hash_of(text, b"pepper")
    assert f"Key {old.id} works until 2027-01-16" in found.err
    assert any(old.id in row and new.id in row for row in desk.type("keys", "list").out.split("\n"))
    assert desk.type("keys", "rotate", old.id, "--overlap", "24h").code == 3
    revoked = desk.type("keys", "revoke", old.id)
    assert new.id in revoked.err


def test_rotating_into_a_file(desk: Desk) -> None:
    desk.type(*ALICE, "90d")
    (old,) = desk.keys.list()
    file = desk.root / "next"
    words = ("keys", "rotate", old.id, "--overlap", "0h", "--expires", "10d", "--key-file", file)
    found = desk.type(*words, "--json")
    assert isinstance(found.json, dict)
    assert found.json["replaces"]["state"] == "expired"
    assert "key" not in found.json
    assert parse(file.read_text().strip()) is not None
    assert file.read_text().strip() not in found.out + found.err
    assert desk.type(*words).code == 3
    assert len(desk.keys.list()) == 2


def test_a_key_that_cannot_be_written_down_is_named(desk: Desk) -> None:
    (desk.root / "file").write_text("x")
    found = desk.type(*ALICE, "1d", "--key-file", desk.root / "file" / "key")
    (record,) = desk.keys.list()
    assert found.code == 3
    assert f"lockgate keys revoke {record.id}" in found.err
