import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest
from pyreqwest.client import ClientBuilder

from lockgate.app.bearer import FixedBearer, NotSignedIn
from lockgate.app.shim import Shim
from support.carried import (
    CANCELLED,
    INITIALIZE,
    INITIALIZED,
    Client,
    FakeGateway,
    Json,
    carried,
    modern,
    request,
    result,
)
from support.upstream_endpoint import Out

NOTE = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
LISTEN = "subscriptions/listen"
URI = {"uri": "file:///a"}
SECONDS = 10


def event(id: str, message: str = "") -> bytes:
    return f"id: {id}\nretry: 1\ndata: {message}\n\n".encode()


def note(number: int) -> str:
    return f'{{"jsonrpc":"2.0","method":"n/{number}"}}'


async def begun(client: Client) -> None:
    client.say(INITIALIZE, INITIALIZED)
    assert (await client.hears())["id"] == 0


def gets(gateway: FakeGateway) -> list[tuple[str, str]]:
    """Session and last event of each request for the stream."""
    return [
        (headers["mcp-session-id"], headers.get("last-event-id", ""))
        for verb, headers, _ in gateway.received
        if verb == "GET"
    ]


# The session's own stream.


async def test_what_comes_on_the_session_s_stream_becomes_lines() -> None:
    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        assert headers["accept"] == "text/event-stream"
        assert headers["authorization"] == "Bearer lgp_key"
        await out.begin("text/event-stream")
        await out.more(event("e.0"))
        await out.event(NOTE)
        await out.gone()
        gateway.gone.set()

    async with carried() as (gateway, client):
        gateway.stream = stream
        await begun(client)
        assert await client.hears() == NOTE
        assert gets(gateway) == [("s-1", "")]
    await asyncio.wait_for(gateway.gone.wait(), SECONDS)
    assert gateway.methods()[-1] == "DELETE"


async def test_a_stream_that_breaks_is_taken_up_where_it_broke() -> None:
    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        if number == 3:
            await out.begin("text/html", 503)
            await out.end()
            return
        await out.begin("text/event-stream")
        await out.more(event(f"e.{number}", note(number)))
        await (out.end() if number < 5 else out.gone())

    async with carried() as (gateway, client):
        gateway.stream = stream
        await begun(client)
        told = [(await client.hears())["method"] for _ in range(3)]
        assert told == ["n/1", "n/2", "n/4"]
        assert gets(gateway)[:4] == [("s-1", ""), ("s-1", "e.1"), ("s-1", "e.2"), ("s-1", "e.2")]


async def test_what_is_not_kept_any_more_is_not_asked_for_again() -> None:
    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        if headers.get("last-event-id"):
            await out.error(410, None, -31000, "gone")
            return
        await out.begin("text/event-stream")
        await out.more(event(f"e.{number}", note(number)))
        await (out.end() if number == 1 else out.gone())

    async with carried() as (gateway, client):
        gateway.stream = stream
        await begun(client)
        assert [(await client.hears())["method"] for _ in range(2)] == ["n/1", "n/3"]
        assert [last for _, last in gets(gateway)] == ["", "e.1", ""]


@pytest.mark.parametrize("status", [401, 403, 405])
async def test_a_gateway_without_a_stream_is_not_asked_again(status: int) -> None:
    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        await out.empty(status)

    async with carried() as (gateway, client):
        gateway.stream = stream
        await begun(client)
        client.say(request(1))
        await client.hears()
        while not gateway.streams:
            client.say(request(2))
            await client.hears()
    assert gateway.streams == 1


async def test_there_is_no_stream_before_the_session_is_initialized_nor_without_one() -> None:
    async with carried() as (gateway, client):
        client.say(INITIALIZE, request(1))
        assert [(await client.hears())["id"] for _ in range(2)] == [0, 1]
    async with carried() as (other, client):
        client.say(INITIALIZED, modern(1))
        await client.hears()
    assert (gateway.streams, other.streams) == (0, 0)


# A session that the gateway has lost.


class Forgetful:
    """Knows only the newest session."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.known = "s-1"
        self.said: list[tuple[str, str]] = []
        for method in ("tools/list", "logging/setLevel", "resources/subscribe",
                       "resources/unsubscribe", "notifications/initialized"):  # fmt: skip
            gateway.acts[method] = self._take
        self._gateway = gateway

    async def _take(self, message: Json, out: Out) -> None:
        _, headers, _ = self._gateway.received[-1]
        session = headers["mcp-session-id"]
        self.said.append((session, message["method"]))
        if session != self.known:
            await out.error(404, message["id"], -32600, "unknown session")
            return
        await out.json(200, result(message["id"]))


async def test_a_lost_session_is_opened_again_as_it_was_and_the_client_need_not_know() -> None:
    async with carried() as (gateway, client):
        house = Forgetful(gateway)
        await begun(client)
        for number, (method, params) in enumerate((
            ("logging/setLevel", {"level": "info"}), ("resources/subscribe", URI),
            ("resources/subscribe", {"uri": "b:1"}), ("resources/unsubscribe", {"uri": "b:1"}),
        ), 1):  # fmt: skip
            client.say(request(number, method, **params))
            assert await client.hears() == result(number)
        house.known = "s-2"
        client.say(request(7))
        assert await client.hears() == result(7)
        assert house.said[4:] == [
            ("s-1", "tools/list"), ("s-2", "logging/setLevel"), ("s-2", "resources/subscribe"),
            ("s-2", "tools/list"),
        ]  # fmt: skip
        again = [m for _, h, m in gateway.received if m.get("method") == "initialize"]
        assert again == [INITIALIZE, INITIALIZE]
        initialized = [h["mcp-session-id"] for _, h, m in gateway.received
                       if m.get("method") == "notifications/initialized"]  # fmt: skip
        assert initialized == ["s-1", "s-2"]
        assert client.silent


async def test_it_is_opened_once_for_all_who_notice() -> None:
    async with carried() as (gateway, client):
        house = Forgetful(gateway)
        await begun(client)
        house.known = "s-2"
        client.say(*(request(number) for number in range(1, 9)))
        answers = [await client.hears() for _ in range(8)]
        assert sorted(a["id"] for a in answers) == list(range(1, 9))
        assert all("result" in answer for answer in answers)
    assert gateway.sessions == 2


@pytest.mark.parametrize("why", ["lost again", "another version", "no session"])
async def test_where_that_does_not_help_the_client_is_told(why: str) -> None:
    async def reopen(message: Json, out: Out) -> None:
        gateway.sessions += 1
        late = gateway.sessions > 1
        version = "2025-06-18" if late and why == "another version" else "2025-11-25"
        session = "" if late and why == "no session" else f"s-{gateway.sessions}"
        opened = {"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": version}}
        await out.json(200, opened, [("mcp-session-id", session)] if session else None)

    async with carried() as (gateway, client):
        gateway.acts["initialize"] = reopen
        house = Forgetful(gateway)
        await begun(client)
        house.known = "nobody's"
        client.say(request(1))
        said = await client.hears()
        assert (said["id"], said["error"]["message"]) == (1, "unknown session")
        assert client.silent
    assert gateway.sessions == 2


async def test_a_stream_whose_session_is_lost_goes_on_in_the_new_one() -> None:
    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        if number == 2:
            await out.begin("application/json", 404)
            await out.end(b"{}")
            return
        await out.begin("text/event-stream")
        await out.more(event(f"e.{number}", note(number)))
        await (out.end() if number < 3 else out.gone())

    async with carried() as (gateway, client):
        gateway.stream = stream
        await begun(client)
        assert [(await client.hears())["method"] for _ in range(2)] == ["n/1", "n/3"]
        assert gets(gateway) == [("s-1", ""), ("s-1", "e.1"), ("s-2", "")]


# Questions to the client, and what modern clients listen to.


async def test_a_question_passes_as_a_line_and_its_answer_is_posted() -> None:
    async def ask(message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        await out.event({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {}})
        await gateway.go.wait()
        await out.event(result(message["id"]))
        await out.end()

    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = ask
        await begun(client)
        client.say(request(1, "tools/call"))
        assert (await client.hears())["id"] == "q"
        answer = {"jsonrpc": "2.0", "id": "q", "result": {"action": "accept"}}
        gateway.acts["answer"] = _taken
        client.say(answer, request(2))
        assert (await client.hears())["id"] == 2
        posted = [(h["mcp-session-id"], m) for _, h, m in gateway.received if m.get("id") == "q"]
        assert posted == [("s-1", answer)]
        gateway.go.set()
        assert (await client.hears())["id"] == 1
        assert client.silent


async def _taken(message: Json, out: Out) -> None:
    await out.empty(202)


class Listening:
    """Answers listens, each as long as its client stays."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.open: dict[Any, Out] = {}
        self.gone: asyncio.Queue[Any] = asyncio.Queue()
        gateway.acts[LISTEN] = self._listen

    async def _listen(self, message: Json, out: Out) -> None:
        id = message["id"]
        await out.begin("text/event-stream")
        self.open[id] = out
        await self.tell(id, "notifications/subscriptions/acknowledged")
        await out.gone()
        self.gone.put_nowait(id)

    async def tell(self, id: Any, method: str) -> None:
        params = {"_meta": {"io.modelcontextprotocol/subscriptionId": id}}
        await self.open[id].event({"jsonrpc": "2.0", "method": method, "params": params})


def subscription(message: Json) -> Any:
    return message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]


async def test_several_listens_share_stdout_and_end_one_by_one() -> None:
    async with carried() as (gateway, client):
        listening = Listening(gateway)
        client.say(*(modern(id, LISTEN) for id in (1, "1", "two")))
        told = [subscription(await client.hears()) for _ in range(3)]
        assert sorted(map(repr, told)) == ["'1'", "'two'", "1"]
        for id in ("two", 1):
            await listening.tell(id, NOTE["method"])
            assert subscription(await client.hears()) == id
        client.say({**CANCELLED, "params": {"requestId": 1}})
        assert await asyncio.wait_for(listening.gone.get(), SECONDS) == 1
        await listening.tell("1", NOTE["method"])
        assert subscription(await client.hears()) == "1"
        assert client.silent


class Deaf:
    """A stream that loses one cancellation, as pyreqwest's do where it meets a chunk."""

    status = 200
    headers = {"content-type": "text/event-stream"}

    def __init__(self) -> None:
        self.body_reader = self
        self.reading = asyncio.Event()

    async def read_chunk(self) -> bytes:
        again, never = self.reading.is_set(), asyncio.Event()
        self.reading.set()
        with nullcontext() if again else suppress(asyncio.CancelledError):
            await never.wait()
        return event("e.1", note(1))


async def test_what_was_cancelled_ends_even_if_its_stream_did_not_notice() -> None:
    written: list[bytes] = []
    deaf = Deaf()

    class Forwarding(Shim):
        @asynccontextmanager
        async def _posting(self, line: bytes, session: str) -> AsyncIterator[Deaf]:
            yield deaf

    async with ClientBuilder().build() as http:
        shim = Forwarding(http, "http://127.0.0.1:1/mcp", FixedBearer("key"), written.append)
        await shim.take(json.dumps(modern(1, LISTEN)).encode())
        await asyncio.wait_for(deaf.reading.wait(), SECONDS)
        await shim.take(json.dumps({**CANCELLED, "params": {"requestId": 1}}).encode())
        await asyncio.wait_for(shim.finish(), SECONDS)
        assert not shim._tasks
    assert not written


async def test_listens_do_not_hold_up_the_end() -> None:
    async with carried() as (gateway, client):
        listening = Listening(gateway)
        client.say(modern(1, LISTEN), modern(2, LISTEN))
        for _ in range(2):
            await client.hears()
        async with asyncio.timeout(3):
            await client.close()
        assert {await listening.gone.get() for _ in range(2)} == {1, 2}


# Credentials that change.


class Changing:
    """As a login: another token each time one is refused, as long as there are some."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refused: list[str] = []
        self.settled = False

    async def current(self) -> str:
        if not self._tokens:
            raise NotSignedIn("You are not signed in. Run `lockgate login`.")
        return self._tokens[0]

    async def instead_of(self, refused: str) -> str:
        self.refused.append(refused)
        if self._tokens[0] == refused:
            self._tokens.pop(0)
        return await self.current() if self._tokens else ""

    async def settle(self) -> None:
        self.settled = True


def shown(gateway: FakeGateway) -> list[str]:
    return [headers["authorization"].removeprefix("Bearer ") for _, headers, _ in gateway.received]


async def picky(gateway: FakeGateway, good: str, message: Json, out: Out) -> None:
    if shown(gateway)[-1] == good:
        await out.json(200, result(message["id"]))
    else:
        await out.error(401, None, -31000, "The credential is not valid.")


async def test_what_is_refused_for_its_credential_is_sent_once_more_with_another() -> None:
    bearer = Changing("t-1", "t-2", "t-3")
    async with carried(bearer) as (gateway, client):
        gateway.acts["tools/list"] = lambda m, o: picky(gateway, "t-2", m, o)
        client.say(modern(1))
        assert await client.hears() == result(1)
        assert shown(gateway) == ["t-1", "t-2"]
        gateway.acts["tools/list"] = lambda m, o: picky(gateway, "none", m, o)
        client.say(modern(2))
        said = await client.hears()
        assert said["error"]["message"] == "The credential is not valid."
        assert shown(gateway) == ["t-1", "t-2", "t-2", "t-3"], "once"
        assert bearer.refused == ["t-1", "t-2"]
    assert bearer.settled


async def test_a_session_is_kept_when_the_credential_changes() -> None:
    bearer = Changing("t-1", "t-2")
    async with carried(bearer) as (gateway, client):
        await begun(client)
        gateway.acts["tools/list"] = lambda m, o: picky(gateway, "t-2", m, o)
        client.say(request(1))
        assert await client.hears() == result(1)
    assert gateway.methods().count("initialize") == 1
    posts = [h for verb, h, m in gateway.received if m.get("method") == "tools/list"]
    assert [h["mcp-session-id"] for h in posts] == ["s-1", "s-1"]
    assert gateway.received[-1][1]["authorization"] == "Bearer t-2"


async def test_who_is_not_signed_in_is_told_so_until_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bearer = Changing()
    async with carried(bearer) as (gateway, client):
        client.say(modern(1))
        said = await client.hears()
        assert (said["id"], said["error"]["code"]) == (1, -31000)
        assert "lockgate login" in said["error"]["message"]
        assert not gateway.received
        bearer._tokens.append("t-1")
        client.say(modern(2))
        assert (await client.hears())["id"] == 2
    assert "not signed in" in capsys.readouterr().err


async def test_the_answer_to_a_legacy_call_is_fetched_when_its_stream_ends_first() -> None:
    async def call(message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        await out.more(event("c.1", note(1)))
        await out.end()

    async def stream(number: int, headers: dict[str, str], out: Out) -> None:
        last = headers.get("last-event-id")
        await out.begin("text/event-stream")
        if last == "c.1":
            await out.more(event("c.2", note(2)))
        elif last == "c.2":
            await out.more(event("c.3", json.dumps(result(5, done=True))))
        else:
            await out.gone()
        await out.end()

    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = call
        gateway.stream = stream
        await begun(client)
        client.say(request(5, "tools/call"))
        said = [await client.hears() for _ in range(3)]
        assert [one.get("method") for one in said] == ["n/1", "n/2", None]
        assert said[2] == result(5, done=True)
        assert gateway.methods().count("tools/call") == 1, "no call is sent twice"


async def test_a_stream_that_ends_for_good_without_an_answer_is_an_error() -> None:
    async def call(message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        await out.more(event("c.1") if message["params"].get("kept") else b": hello\n\n")
        await out.end()

    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = call
        client.say(modern(1, "tools/call"))
        assert (await client.hears())["error"]["code"] == -31000
        await begun(client)
        client.say(request(2, "tools/call", kept=True))  # there is no stream to fetch it from
        assert (await client.hears())["error"]["code"] == -31000
        assert gateway.methods().count("tools/call") == 2


async def test_a_listen_that_ends_with_its_credential_is_begun_again() -> None:
    async with carried() as (gateway, client):
        listening = Listening(gateway)
        client.say(modern(1, LISTEN))
        for _ in range(2):
            assert (await client.hears())["method"] == "notifications/subscriptions/acknowledged"
            await listening.tell(1, NOTE["method"])
            assert (await client.hears())["method"] == NOTE["method"]
            if gateway.methods().count(LISTEN) == 1:
                await listening.open[1].end()
                assert await asyncio.wait_for(listening.gone.get(), SECONDS) == 1
        client.say({**CANCELLED, "params": {"requestId": 1}})
        assert await asyncio.wait_for(listening.gone.get(), SECONDS) == 1
    assert gateway.methods().count(LISTEN) == 2
