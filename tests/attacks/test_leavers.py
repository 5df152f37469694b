"""Someone who has left goes on; someone who is no identity provider says who works here."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.background import REFRESH_SECONDS
from lockgate.app.streams import CHECK_SECONDS
from support.client import McpClient, Said, http_client
from support.gateway import Gateway, python
from support.live_streams import listening, stream_of
from support.scim_gateway import PATCH, SECRET, USER, deactivate, gateway, make, provider

pytestmark = pytest.mark.e2e

ODD = str(Path(__file__).parents[1] / "support" / "odd_child.py")


async def test_a_leaver_with_a_session_and_a_valid_key_goes_on_calling(tmp_path: Path) -> None:
    """Without pause, on many connections, with everything they have."""
    async with gateway(tmp_path) as gate:
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            answers: list[tuple[float, float, Said]] = []
            busy, over = asyncio.Event(), asyncio.Event()

            async def goes_on(method: str, session: str) -> None:
                async with http_client() as http:
                    alice = McpClient(http, gate.url, gate.key("alice"))
                    while not over.is_set():
                        began = time.monotonic()
                        said = (
                            await alice.legacy(method, session=session)
                            if session
                            else await alice.modern(method)
                        )
                        answers.append((began, time.monotonic(), said))
                        if len(answers) >= 20:
                            busy.set()

            async with http_client() as http:
                alice = McpClient(http, gate.url, gate.key("alice"))
                session = await alice.open()
                async with stream_of(alice) as one, listening(alice) as other:
                    assert await one.next() is not None
                    assert await other.next() is not None
                    going = [
                        asyncio.ensure_future(goes_on(method, held))
                        for method, held in [("tools/list", ""), ("ping", session)] * 3
                    ]
                    await asyncio.wait_for(busy.wait(), 20)
                    await asyncio.to_thread(deactivate, idp, id)
                    known = time.monotonic()
                    await asyncio.gather(one.end(), other.end())
                    ended = time.monotonic()
                    over.set()
                    await asyncio.gather(*going)
                assert (await alice.close(session)).status == 401
                async with stream_of(alice, last_event_id="1") as again:
                    assert again.status == 401
        assert ended - known < REFRESH_SECONDS + CHECK_SECONDS + 1.0, "and a busy machine"
        assert {said.status for _, done, said in answers if done < known} >= {200}
        after = {(said.status, said.reason) for began, _, said in answers if began > known}
        assert after == {(401, "auth.inactive")}, "not one call came through"


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_what_was_asked_before_leaving_is_not_answered_after(
    tmp_path: Path, era: str
) -> None:
    """A long call, begun in time, whose answer would come when nobody may have it any more."""
    gate = gateway(tmp_path)
    gate.write_config(upstreams={"own": python(ODD, "per-process")})
    async with gate, http_client() as http:
        alice = McpClient(http, f"{gate.url}/own", gate.key("alice"))
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            asked = {"name": "late", "arguments": {}}
            if era == "legacy":
                await alice.open()
            call = alice.modern if era == "modern" else alice.legacy
            waiting = asyncio.ensure_future(call("tools/call", asked))
            await gate.awaited(lambda g: g.rows(kind="call.intent", target="late"))
            await asyncio.to_thread(deactivate, idp, id)
            known = time.monotonic()
            said = await asyncio.wait_for(waiting, 10)
        assert time.monotonic() - known < REFRESH_SECONDS + CHECK_SECONDS + 1.0, (
            "and a busy machine"
        )
        assert (said.status, said.reason) == (401, "auth.inactive")
        (outcome,) = await gate.awaited(lambda g: g.rows(kind="call.outcome", target="late"))
        assert outcome.reason == "call.revoked"
        shown = await asyncio.to_thread(gate.cli, "audit", "show", outcome.call)
        assert "auth.inactive" in shown


async def test_a_leaver_s_service_key_is_dead_too(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate, http_client() as http:
        made = await asyncio.to_thread(
            gate.cli, "keys", "create", "--kind", "service", "--owner", "alice", "--subject",
            "robot", "--expires", "9d",
        )  # fmt: skip
        robot = McpClient(http, gate.url, made.split()[0])
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            assert (await gate_opens(robot)).status == 200
            await asyncio.to_thread(deactivate, idp, id)
            assert (await robot.modern("tools/list")).reason == "auth.inactive"


async def gate_opens(client: McpClient) -> Said:
    """A new key is seen within half a second."""
    async with asyncio.timeout(10):
        while (said := await client.modern("tools/list")).reason == "auth.invalid":
            pass
    return said


async def test_the_next_one_of_that_name_is_not_whoever_holds_the_old_key(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate, http_client() as http:
        old = McpClient(http, gate.url, gate.key("alice"))
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            assert (await old.modern("tools/list")).status == 200
            assert (await asyncio.to_thread(idp.delete, f"/Users/{id}")).status_code == 204
            assert (await old.modern("tools/list")).status == 401
            await asyncio.to_thread(make, idp, "alice")
            assert (await old.modern("tools/list")).reason == "auth.invalid"


def status(gate: Gateway, headers: dict[str, str], **sent: Any) -> int:
    with provider(gate) as idp:
        idp.headers = headers
        return idp.request("POST", "/Users", **sent).status_code


def test_who_is_no_identity_provider_changes_nothing(tmp_path: Path) -> None:
    body = {"schemas": [USER], "userName": "mallory"}
    good = {"authorization": f"Bearer {SECRET}"}
    with gateway(tmp_path) as gate:
        key = {"authorization": f"Bearer {gate.key('alice')}"}
        assert status(gate, {}, json=body) == 401
        assert status(gate, {"authorization": "Bearer wrong"}, json=body) == 401
        assert status(gate, {"authorization": f"Bearer {SECRET[:-1]}"}, json=body) == 401
        assert status(gate, key, json=body) == 401, "a client's key"
        assert status(gate, {}, json=body, params={"access_token": SECRET}) == 401
        assert status(gate, {**good, "host": "evil.example"}, json=body) == 421
        assert status(gate, {**good, "origin": "https://evil.example"}, json=body) == 403
        large = {**body, "title": "x" * (4 * 2**20)}
        assert status(gate, good, json=large) == 413
        assert gate.rows(kind="admin.changed")[2:] == [], "only the two keys were made"
        assert SECRET not in gate.log
        refused = gate.found(lambda g: g.rows(kind="auth.refused"))
        assert {r.reason for r in refused} <= {
            "auth.missing", "auth.invalid", "wire.bad-host", "wire.bad-origin", "wire.too-large",
        }  # fmt: skip
        assert SECRET not in str(gate.journal())


async def test_the_secret_of_the_provider_is_no_key(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate, http_client() as http:
        said = await McpClient(http, gate.url, SECRET).modern("tools/list")
        assert said.status == 401


INJECTED = [
    "nobody' OR '1'='1",
    "x'); DROP TABLE person; --",
    "*",
    "*)(uid=*))(|(uid=*",
    "%",
    "_____",
    "\\",
    '" or userName pr or userName eq "',
    "$(id)",
    "{{7*7}}",
]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_names_are_never_read_as_a_query(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    more = {}
    if database == "postgresql":
        more = {"database": request.getfixturevalue("postgres_url")}
    gate = gateway(tmp_path, **more)
    with gate, provider(gate) as idp:
        make(idp, "alice")
        for text in INJECTED:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            for name in ("userName", "externalId"):
                asked = {"filter": f'{name} eq "{escaped}"'}
                assert idp.get("/Users", params=asked).json()["totalResults"] == 0, text
            id = make(idp, text, externalId=text)
            asked = {"filter": f'userName eq "{escaped}"'}
            found = idp.get("/Users", params=asked).json()
            assert [r["id"] for r in found["Resources"]] == [id]
        assert idp.get("/Users").json()["totalResults"] == 1 + len(INJECTED)


HOSTILE = [
    "(" * 900 + 'userName eq "a"' + ")" * 900,
    "not (" * 300 + 'userName eq "a"' + ")" * 300,
    'userName eq "a"' + ' or userName eq "a"' * 90,
    'emails[type eq "' + "[" * 900,
    "\0",
    "userName eq \ud7ff",
]


def test_filters_that_are_made_to_hurt_are_answered_quickly(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate, provider(gate) as idp:
        id = make(idp, "alice")
        for text in HOSTILE:
            began = time.monotonic()
            answer = idp.get("/Users", params={"filter": text})
            assert answer.status_code in (200, 400), text
            step = {"op": "remove", "path": text}
            answer = idp.patch(f"/Users/{id}", json={"schemas": [PATCH], "Operations": [step]})
            assert answer.status_code in (200, 400), text
            assert time.monotonic() - began < 5.0
        assert "Traceback" not in gate.log
