import asyncio

from lockgate.model import Account
from support.desk import Desk

TOKEN = b"the-token-itself"


def connected(desk: Desk, who: str, upstream: str = "notes", broken: str = "") -> None:
    made = Account(
        f"person:{who}", upstream, "https://auth.example", "place", ("read", "write"),
        connected=desk.now, expires=desk.now + 1, broken=broken, secret=TOKEN,
    )  # fmt: skip
    asyncio.run(desk.accounts.put(made))


def test_nothing_is_connected_yet(desk: Desk) -> None:
    found = desk.type("accounts", "list")
    assert (found.code, found.out) == (0, "")
    assert "No account is connected" in found.err
    assert desk.type("accounts", "list", "--json").json == []


def test_accounts_are_listed_without_their_tokens(desk: Desk) -> None:
    connected(desk, "alice")
    connected(desk, "bob", "tracker", broken="its authorization ended")
    shown = desk.type("accounts", "list").out
    assert "person:alice" in shown
    assert "broken" in shown
    listed = desk.type("accounts", "list", "--json")
    assert isinstance(listed.json, list)
    assert [one["state"] for one in listed.json] == ["connected", "broken"]
    assert listed.json[0]["scopes"] == ["read", "write"]
    assert "token" not in shown + listed.out


def test_a_list_may_be_of_one_person_or_upstream(desk: Desk) -> None:
    connected(desk, "alice")
    connected(desk, "bob", "tracker")
    for words in (("--principal", "person:bob"), ("--upstream", "tracker")):
        found = desk.type("accounts", "list", *words, "--json").json
        assert isinstance(found, list)
        assert [one["principal"] for one in found] == ["person:bob"]


def test_disconnecting_is_on_record_and_takes_one_or_all(desk: Desk) -> None:
    for upstream in ("notes", "tracker", "wiki"):
        connected(desk, "alice", upstream)
    one = desk.type("accounts", "disconnect", "person:alice", "--upstream", "wiki")
    assert one.out == "disconnected person:alice from wiki\n"
    rest = desk.type("accounts", "disconnect", "person:alice", "--json").json
    assert isinstance(rest, list)
    assert [one["upstream"] for one in rest] == ["notes", "tracker"]
    assert desk.accounts.list() == []
    seen = [recorded.event.header["action"] for recorded in desk.events.tail(9)]
    assert seen == ["account.disconnect"] * 3


def test_refusals(desk: Desk) -> None:
    connected(desk, "alice")
    assert desk.type("accounts", "disconnect", "person:bob").code == 3
    assert desk.type("accounts", "disconnect", "person:alice", "--upstream", "x").code == 3
    assert desk.type("accounts", "disconnect").code == 2
    assert len(desk.accounts.list()) == 1
