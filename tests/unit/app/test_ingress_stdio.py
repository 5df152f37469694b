import asyncio
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.bearer import FixedBearer
from lockgate.app.ingress_stdio import carry
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
from support.upstream_endpoint import Out, serving


async def test_lines_go_in_as_they_are_and_answers_come_out_as_lines() -> None:
    async with carried() as (gateway, client):
        client.say(b'{"jsonrpc":"2.0","id":1,"met', b'hod":"ping"}\n\n')
        assert await client.hears() == result(1, method="ping")
        ((verb, headers, message),) = gateway.received
        assert (verb, message) == ("POST", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert headers["authorization"] == "Bearer lgp_key"
        assert headers["content-type"] == "application/json"
        assert headers["accept"] == "application/json, text/event-stream"
        assert headers["lockgate-transport"] == "stdio"
        assert "mcp-session-id" not in headers


async def test_a_session_is_kept_and_ended() -> None:
    async with carried() as (gateway, client):
        # All at once: what follows initialize waits for its session.
        client.say(
            INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, request(1)
        )
        assert [(await client.hears())["id"] for _ in range(2)] == [0, 1]
    verb, headers, _ = gateway.received[-1]
    assert (verb, headers["authorization"]) == ("DELETE", "Bearer lgp_key")
    posted = [one for one in gateway.received if one[0] != "GET"]
    sessions = [headers.get("mcp-session-id") for _, headers, _ in posted]
    assert sessions == [None, "s-1", "s-1", "s-1"]


async def test_without_a_session_none_is_ended() -> None:
    async with carried() as (gateway, client):
        client.say(modern(1))
        await client.hears()
    assert gateway.methods() == ["tools/list"]


async def test_a_stream_becomes_lines() -> None:
    async def act(message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        await out.more(b": keep-alive\n\n")
        await out.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        await gateway.go.wait()
        await out.more(b'data: {"jsonrpc":"2.0","id":1,\ndata: "result":{}}\n\n')
        await out.end()

    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = act
        client.say(modern(1, "tools/call"))
        assert (await client.hears())["method"] == "notifications/progress"
        gateway.go.set()
        assert await client.hears() == result(1)


async def test_many_run_at_once() -> None:
    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = gateway.hang
        client.say(modern(1, "tools/call"), modern(2))
        assert (await client.hears())["id"] == 2
        client.say({**CANCELLED, "params": {"requestId": 1}})
        gateway.go.set()


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("id", [7, "7"])
async def test_cancelling_a_modern_request_closes_it(id: object, begun: bool) -> None:
    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = gateway.hang
        if begun:
            gateway.go.set()
        client.say(modern(id, "tools/call"))
        await asyncio.wait_for(gateway.reached.wait(), 10)
        other = "7" if id == 7 else 7
        client.say({**CANCELLED, "params": {"requestId": other}}, modern("after"))
        assert (await client.hears())["id"] == "after"
        assert not gateway.gone.is_set()
        client.say({**CANCELLED, "params": {"requestId": id}}, modern("last"))
        assert (await client.hears())["id"] == "last"
        gateway.go.set()
        await asyncio.wait_for(gateway.gone.wait(), 10)
        assert client.silent
    assert gateway.methods().count("notifications/cancelled") == 1, "that of the other id"


async def test_cancelling_a_legacy_request_is_a_message() -> None:
    cancelled = asyncio.Event()

    async def wait(message: Json, out: Out) -> None:
        gateway.reached.set()
        await cancelled.wait()
        await out.empty(202)

    async with carried() as (gateway, client):
        gateway.acts["tools/call"] = wait
        client.say(INITIALIZE, request(7, "tools/call"))
        await client.hears()
        await asyncio.wait_for(gateway.reached.wait(), 10)
        client.say({**CANCELLED, "params": {"requestId": 7}}, request(8))
        assert (await client.hears())["id"] == 8
        assert "notifications/cancelled" in gateway.methods()
        cancelled.set()
    assert client.silent, "a cancelled request is not answered"


@pytest.mark.parametrize("params", [[1], None, {"requestId": [1]}, {"requestId": {}}, {}])
async def test_odd_messages_are_left_to_the_gateway(params: object) -> None:
    async with carried() as (gateway, client):
        client.say({**CANCELLED, "params": params}, {**modern({"id": 1})}, modern(2))
        answers = [await client.hears(), await client.hears()]
        assert [a["id"] for a in answers if a["id"] == 2] == [2]
    assert "notifications/cancelled" in gateway.methods()


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    said = b"\n".join(json.dumps(one).encode() for one in (INITIALIZE, INITIALIZED, request(1)))
    (tmp_path / "said").write_bytes(said + b"\n")
    gateway, sink = FakeGateway(), io.BytesIO()
    async with serving(gateway) as url, asyncio.timeout(10):
        for name in (str(tmp_path / "said"), os.devnull):
            with open(name, "rb", buffering=0) as source:  # noqa: ASYNC230 - it is not read here
                await carry(url, FixedBearer("lgp_key"), source, sink)
    answers = [json.loads(line)["id"] for line in sink.getvalue().splitlines()]
    assert answers == [0, 1]
    assert gateway.methods()[-1] == "DELETE"


# What goes wrong.


def nobody() -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


async def test_a_gateway_that_is_not_there_is_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client(nobody())
    client.say(b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}\n')
    client.say({"jsonrpc": "2.0", "method": "notifications/initialized"}, modern("x"))
    answers = {a["id"]: a["error"] for a in [await client.hears(), await client.hears()]}
    assert answers.keys() == {123456789012345678901234567890, "x"}
    assert "cannot be reached" in answers["x"]["message"]
    await client.close()
    assert client.silent, "a notification is not answered"
    assert "no answer from the gateway" in capsys.readouterr().err


async def test_a_cancelled_request_that_fails_is_not_answered() -> None:
    waiting: list[asyncio.StreamWriter] = []
    both = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}}")
        waiting.append(writer)
        if len(waiting) == 2:
            both.set()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp")
    client.say(modern(1), {**CANCELLED, "params": {"requestId": 1}}, modern(2))
    await asyncio.wait_for(both.wait(), 10)
    for writer in waiting:
        writer.transport.abort()
    assert (await client.hears())["id"] == 2
    await client.close()
    assert client.silent
    server.close()
    await server.wait_closed()


async def refuse(message: Json, out: Out) -> None:
    """As the gateway refuses a credential: before it has read the message."""
    await out.error(401, None, -31000, "The credential is not valid.")


async def test_a_refusal_reaches_who_asked() -> None:
    async with carried() as (gateway, client):
        gateway.acts |= {"initialize": refuse, "tools/list": refuse}
        client.say(INITIALIZE)
        said = await client.hears()
        assert (said["id"], said["error"]["message"]) == (0, "The credential is not valid.")
        client.say(modern("x"))
        assert (await client.hears())["id"] == "x"


async def test_what_is_no_json_is_answered_by_the_gateway() -> None:
    async def act(scope: Any, receive: Any, send: Any) -> None:
        await Out(receive, send).error(400, None, -32700, "The message is not valid JSON.")

    async with serving(act) as url:
        client = Client(url)
        client.say(b"{nonsense\n")
        assert (await client.hears())["id"] is None
        client.say({"jsonrpc": "2.0", "method": "notifications/initialized"}, request(1))
        assert (await client.hears())["id"] == 1
        await client.close()
        assert client.silent, "a notification is not answered"


@pytest.mark.parametrize(("kind", "text"), [("text/html", "<p>404</p>"), ("application/json", "[]"),
                                            ("application/json", "{"), ("", "")])  # fmt: skip
async def test_only_mcp_reaches_stdout(kind: str, text: str) -> None:
    async def act(message: Json, out: Out) -> None:
        await out.begin(kind, 404)
        await out.end(text.encode())

    async with carried() as (gateway, client):
        gateway.acts["tools/list"] = act
        client.say(modern(1))
        assert (await client.hears())["error"]["code"] == -31000


async def test_an_endless_line_ends_the_shim_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    async with carried() as (_, client):
        await asyncio.to_thread(client.say, b"x" * (17 * 2**20))
        await asyncio.wait_for(client.running, 10)
    assert "more than 16 MiB" in capsys.readouterr().err


# The command.


def shim(*arguments: str, key: str | None = None) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOCKGATE_")}
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-m", "lockgate.app.main", "stdio", *arguments],
        env={**kept, "PYTHONPATH": path, **({"LOCKGATE_KEY": key} if key is not None else {})},
        input="", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "key", "code", "said"),
    [
        (("--url",), "k", 2, "usage:"),
        (("--nonsense", "x"), "k", 2, "usage:"),
        (("--url", "http://a/mcp", "--url", "http://b/mcp"), "k", 2, "usage:"),
        (("--login", "--key-file", "/dev/null"), "k", 2, "usage:"),
        (("--insecure-file", "/x", "--key-file", "/dev/null"), "k", 2, "usage:"),
        (("--insecure-file",), "k", 2, "usage:"),
        (("--login", "--login"), "k", 2, "usage:"),
        (("--insecure-file", "/no/such/file"), "k", 3, "not signed in"),
        (("--insecure-file", "/x", "--url", "http://gate.example/mcp"), "k", 3, "not https://"),
        (("--url", "nonsense"), "k", 2, "not an http:// or https:// URL"),
        (("--url", "ftp://gate.example/mcp"), "k", 2, "not an http:// or https:// URL"),
        ((), None, 3, "no key"),
        (("--key-file", "/no/such/file"), None, 3, "cannot be read"),
        (("--key-file", "/dev/null"), "k", 3, "does not hold one key"),
        ((), "one\ntwo", 3, "does not hold one key"),
        ((), "k", 0, ""),
    ],
)
def test_usage(arguments: tuple[str, ...], key: str | None, code: int, said: str) -> None:
    done = shim(*arguments, key=key)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_from_a_file_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("  secret of alice\n")
    done = shim("--key-file", str(tmp_path / "key"))
    assert done.returncode == 3
    assert "alice" not in done.stderr
    (tmp_path / "key").write_text("secret\n")
    assert shim("--key-file", str(tmp_path / "key"), "--url", nobody()).returncode == 0


HEAVY = "cedarpy sqlalchemy alembic uvicorn pydantic jsonschema_rs typer mcp ruamel joserfc"
LOADED = "import sys; import lockgate.app.{}; print(*{{m.split('.')[0] for m in sys.modules}})"


@pytest.mark.parametrize("module", ["ingress_stdio", "login.carrying"])
def test_it_loads_no_engine(module: str) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", LOADED.format(module)], env=env,
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    loaded = set(done.stdout.split())
    assert "lockgate" in loaded
    assert loaded.isdisjoint(HEAVY.split())
    assert ("keyring" in loaded) == (module == "login.carrying")
