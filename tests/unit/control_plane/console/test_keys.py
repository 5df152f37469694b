from lockgate.control_plane.console.keys import PAGE
from support.console_desk import ConsoleDesk
from support.console_rooms import DAY, put_key

KEYS, REVOKE = "/console/keys", "/console/keys/revoke"


async def test_keys_are_listed_without_what_makes_them_keys(desk: ConsoleDesk) -> None:
    put_key(desk, used=desk.now_ms() - 3 * DAY)
    put_key(desk, "old", revoked=5)
    page = (await (await desk.holding("reader")).get(KEYS)).text
    for text in ("abcdefghijkl", "carol", "developer", "active", "in 29 days", "3 days ago"):
        assert text in page
    assert "h" * 64 not in page
    assert ">old<" not in page
    assert "Revoke" not in page, "readers only look"
    everything = await (await desk.signed_in()).get(f"{KEYS}?state=all")
    assert ">old<" in everything.text


async def test_who_may_revoke_a_key_does_so_on_record(desk: ConsoleDesk) -> None:
    put_key(desk)
    put_key(desk, "another")
    responder = await desk.holding("responder")
    done = await responder.submit(await responder.get(KEYS), REVOKE, id="abcdefghijkl")
    assert (done.status, done.header("location")) == (303, KEYS)
    assert {one.id: bool(one.revoked) for one in desk.keys.list()} == {
        "abcdefghijkl": True, "another": False,
    }  # fmt: skip
    event = desk.journal[-1]
    assert (event.header["action"], event.header["target"]) == ("key.revoke", "abcdefghijkl")
    assert event.slots["actor"] == b'{"identity": "oidc:alice", "via": "console"}'
    again = await responder.submit(await responder.get(KEYS), REVOKE, id="another")
    assert again.status == 303
    page = await responder.get(f"{KEYS}?state=all")
    token = desk.sessions.form_token(session(desk, responder.jar), REVOKE)
    late = await responder.post(REVOKE, {"token": token, "id": "another"})
    assert (late.status, "revoked before" in late.text) == (403, True)
    assert "Revoke" not in page.text.partition("<tbody>")[2]


async def test_a_reader_cannot_revoke(desk: ConsoleDesk) -> None:
    put_key(desk)
    reader = await desk.holding("reader")
    await reader.get(KEYS)
    token = desk.sessions.form_token(session(desk, reader.jar), REVOKE)
    found = await reader.post(REVOKE, {"token": token, "id": "abcdefghijkl"})
    assert (found.status, "operator or responder" in found.text) == (403, True)
    assert not desk.keys.list()[0].revoked


async def test_pages_end(desk: ConsoleDesk) -> None:
    for number in range(PAGE + 1):
        put_key(desk, f"key-{number:03}")
    reader = await desk.holding("reader")
    first = (await reader.get(KEYS)).text
    after = first.partition("after=")[2].partition('"')[0]
    second = (await reader.get(f"{KEYS}?after={after}")).text
    assert (first.count(">key-"), second.count(">key-")) == (PAGE, 1)
    assert 'rel="next"' not in second
    assert "There are no keys" in (await reader.get(f"{KEYS}?after=none")).text


def session(desk: ConsoleDesk, jar: dict[str, str]) -> str:
    found = desk.sessions.recognise(jar["__Host-lockgate"])
    assert found is not None
    return found.hash
