from typing import Any

import orjson

from lockgate.control_plane.console.api import API
from lockgate.model.inquiry import Need
from support.asked import ask, state
from support.browser import Browser
from support.console_desk import ROLES, ConsoleDesk
from support.console_rooms import BROKEN, MAIL, put_call, put_key


async def asked(browser: Browser, path: str) -> Any:
    found = await browser.get(API + path)
    assert found.status == 200, found.text
    return orjson.loads(found.body)


async def test_calls_page_by_cursor_until_there_are_no_more(desk: ConsoleDesk) -> None:
    for number in range(5):
        put_call(desk, f"c{number}", who="bob" if number % 2 else "alice")
    reader = await desk.holding("reader")
    seen: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        page = await asked(reader, f"/calls?limit=2&principal=alice&cursor={cursor}")
        seen += [one["call"] for one in page["items"]]
        cursor = page["next"]
    assert seen == ["c4", "c2", "c0"]


async def test_one_call_keeps_contents_from_whom_they_are_not_for(desk: ConsoleDesk) -> None:
    put_call(desk, "c1", args={"a": "SECRET"})
    (event,) = (await asked(await desk.holding("reader"), "/calls/c1"))["events"]
    assert (event["withheld"], set(event["slots"])) == (["args", "net"], {"actor"})
    (event,) = (await asked(await desk.holding("privacy_officer", who="o"), "/calls/c1"))["events"]
    assert event["slots"]["args"] == {"a": "SECRET"}


async def test_upstreams_with_how_many_tools_and_one_with_which(desk: ConsoleDesk) -> None:
    desk.upstreams = (MAIL, BROKEN)
    reader = await desk.holding("reader")
    found = (await asked(reader, "/upstreams"))["items"]
    assert [(one["name"], one["tools"], one["state"]) for one in found] == [
        ("mail", 1, "open"), ("ledger", 0, "failing"),
    ]  # fmt: skip
    (tool,) = (await asked(reader, "/upstreams/mail"))["tools"]
    assert (tool["name"], tool["hold"]) == ("send", "data-owner")


async def test_keys_page_and_a_key_is_ended_on_record(desk: ConsoleDesk) -> None:
    for number in range(3):
        put_key(desk, f"key{number}", created=number)
    operator = await desk.holding("operator")
    first = await asked(operator, "/keys?limit=2")
    assert [one["id"] for one in first["items"]] == ["key2", "key1"]
    rest = await asked(operator, f"/keys?limit=2&cursor={first['next']}")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (["key0"], None)
    token = (await asked(operator, "/session"))["token"]
    headers = {"content-type": "application/json", "x-lockgate-token": token}
    done = await operator.post(f"{API}/keys/key1/revoke", {}, **headers)
    assert orjson.loads(done.body)["state"] == "revoked"
    assert desk.journal[-1].header["action"] == "key.revoke"
    unknown = await operator.post(f"{API}/keys/none/revoke", {}, **headers)
    assert (unknown.status, "There is no key" in unknown.text) == (403, True)


async def test_an_order_has_an_empty_body(desk: ConsoleDesk) -> None:
    put_key(desk)
    operator = await desk.holding("operator")
    token = (await asked(operator, "/session"))["token"]
    headers = {"content-type": "application/json", "x-lockgate-token": token}
    found = await operator.post(f"{API}/keys/abcdefghijkl/revoke", {"a": "b"}, **headers)
    assert (found.status, found.header("content-type")) == (400, "application/problem+json")
    assert not desk.keys.list()[0].revoked


async def test_roles_are_those_that_the_page_shows(desk: ConsoleDesk) -> None:
    bob, carol = await desk.signed_in("bob"), await desk.signed_in("carol")
    why = {"role": "reader", "reason": "to look", "minutes": "5"}
    await bob.submit(await bob.get(ROLES), "/console/request", **why)
    assert [one["role"] for one in (await asked(bob, "/roles"))["asked"]] == ["reader"]
    assert [one["holder"] for one in (await asked(carol, "/roles"))["waiting"]] == ["oidc:bob"]
    eve = await desk.signed_in("eve")
    assert await asked(eve, "/roles") == {"held": [], "asked": [], "waiting": []}


async def test_who_is_signed_in(desk: ConsoleDesk) -> None:
    found = await asked(await desk.holding("reader"), "/session")
    assert (found["identity"], found["roles"]) == ("oidc:alice", ["reader"])


async def test_a_question_is_answered_by_a_program_as_on_its_page(desk: ConsoleDesk) -> None:
    one = ask(desk)
    dora = await desk.signed_in("dora")
    (row,) = (await asked(dora, "/approvals?state=mine"))["items"]
    assert (row["id"], row["missing"], row["mine"]) == ("q1", {"owner": 1}, ["owner"])
    shown = await asked(dora, "/approvals/q1")
    assert orjson.loads(shown["arguments"])["arguments"]["patient_id"] == "p-1"
    token = (await asked(dora, "/session"))["token"]
    headers = {"x-lockgate-token": token}
    place = f"{API}/approvals/q1/answer"
    for wrong, status in (
        ({}, 400),
        ({"digest": one.digest, "answer": "perhaps"}, 400),
        ({"digest": "0" * 64, "answer": "yes"}, 403),
    ):
        assert (await dora.send(place, wrong, **headers)).status == status
    assert state(desk) == "pending"
    said = {"digest": one.digest, "answer": "yes", "note": "seen"}
    done = orjson.loads((await dora.send(place, said, **headers)).body)
    assert (done["question"]["state"], done["votes"][0]["note"]) == ("approved", "seen")


async def test_a_stranger_is_told_of_no_question(desk: ConsoleDesk) -> None:
    ask(desk)
    eve = await desk.signed_in("eve")
    assert (await asked(eve, "/approvals"))["items"] == []
    assert (await eve.get(f"{API}/approvals/q1")).status == 403


async def test_a_grave_question_is_answered_on_its_page_alone(desk: ConsoleDesk) -> None:
    one = ask(desk, needs=(Need("grave"),))
    dora = await desk.signed_in("dora")
    begun = await dora.get("/console/approvals/q1/sign-in")
    await desk.back(dora, desk.issuer.authorize(begun.header("location"), "dora"))
    token = (await asked(dora, "/session"))["token"]
    headers = {"x-lockgate-token": token}
    said = {"digest": one.digest, "answer": "yes"}
    assert (await dora.send(f"{API}/approvals/q1/answer", said, **headers)).status == 403
    assert state(desk) == "pending"


async def test_a_body_that_is_no_text_is_a_bad_request(desk: ConsoleDesk) -> None:
    ask(desk)
    dora = await desk.signed_in("dora")
    token = (await asked(dora, "/session"))["token"]
    headers = {"x-lockgate-token": token, "content-type": "application/json"}
    place = f"{API}/approvals/q1/answer"
    answer = await dora.ask("POST", place, headers, b'{"digest":"\xff","answer":"no"}')
    assert (answer.status, state(desk)) == (400, "pending")
