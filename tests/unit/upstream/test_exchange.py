"""One POST, against raw HTTP/1.1 answers that no well-behaved server would give."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pyreqwest.client import Client
from pyreqwest.exceptions import ConnectError

from lockgate.model import SendFailed
from lockgate.upstream.exchange import Answer, cause, delete, post
from lockgate.upstream.send_http import build_client
from lockgate.upstream.target import Bounds
from lockgate.wire.jsonrpc import Message
from lockgate.wire.strict_json import Limits

JSON = b"content-type: application/json\r\n"
STREAM = b"content-type: text/event-stream\r\n"
RESULT = b'{"jsonrpc":"2.0","id":7,"result":{"a": 1.50}}'


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with build_client(Bounds()) as built:
        yield built


class RawServer:
    """Answers each request with the given bytes and closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        writer.write(self._answer)
        writer.close()


async def ask(
    client: Client, answer: bytes, heard: list[Message] | None = None, most: int = 10_000
) -> Answer:
    raw = RawServer(answer)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        told = heard if heard is not None else []
        return await post(
            client, f"http://127.0.0.1:{port}/", {"A": "1"}, b"{}", number=7, seconds=5,
            limits=Limits(bytes=most), heard=told.append,
        )  # fmt: skip


def http(headers: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"\r\n" + body


async def reason(client: Client, answer: bytes, most: int = 10_000) -> str:
    with pytest.raises(SendFailed) as failed:
        await ask(client, answer, most=most)
    return failed.value.reason


async def test_json_is_read_raw_and_the_session_seen(client: Client) -> None:
    said = await ask(client, http(JSON + b"Mcp-Session-Id: s1\r\n", RESULT))
    assert said.message is not None
    assert said.message.result == b'{"a": 1.50}'
    assert (said.status, said.session) == (200, "s1")


async def test_parameters_and_case_of_the_type_do_not_matter(client: Client) -> None:
    kind = b"Content-Type: Application/JSON; charset=utf-8\r\n"
    assert (await ask(client, http(kind, RESULT))).message is not None


async def test_a_stream_is_read_to_its_response(client: Client) -> None:
    heard: list[Message] = []
    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}'
    body = b": hi\r\n\r\nid: 1\ndata:\n\ndata: " + note + b"\n\ndata: " + RESULT + b"\n\ndata: no"
    said = await ask(client, http(STREAM, body), heard)
    assert said.message is not None
    assert said.message.result == b'{"a": 1.50}'
    assert [one.params for one in heard] == [b'{"n":1}']


async def test_an_error_without_an_id_is_the_answer(client: Client) -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}'
    said = await ask(client, http(JSON, body, b"400 Bad Request"))
    assert said.message is not None
    assert said.message.error is not None


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b'{"jsonrpc":"2.0","id":8,"result":{}}',
        b'{"jsonrpc":"2.0","method":"x"}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":1,"a":2}}',
    ],
)
async def test_what_is_no_answer_is_garbage(client: Client, body: bytes) -> None:
    assert await reason(client, http(JSON, body)) == "upstream.garbage"
    assert await reason(client, http(STREAM, b"data: " + body + b"\n\n")) in (
        "upstream.garbage", "upstream.crashed",
    )  # fmt: skip


async def test_an_error_page_is_no_message(client: Client) -> None:
    for kind in (JSON, b"content-type: text/html\r\n", b""):
        said = await ask(client, http(kind, b"<p>no", b"502 Bad Gateway"))
        assert (said.status, said.message) == (502, None)


async def test_the_caps(client: Client) -> None:
    large = http(JSON, b'{"a":"' + b"x" * 200 + b'"}')
    assert await reason(client, large, most=100) == "upstream.too-large"
    event = http(STREAM, b"data: " + b"x" * 200 + b"\n\n")
    assert await reason(client, event, most=100) == "upstream.too-large"
    comments = http(STREAM, b": x\n\n" * 200)
    assert await reason(client, comments, most=100) == "upstream.too-large"


async def test_broken_connections(client: Client) -> None:
    cut = http(JSON, RESULT).replace(b"length: ", b"length: 9")
    assert await reason(client, cut) == "upstream.crashed"
    assert await reason(client, http(STREAM, b": nothing\n\n")) == "upstream.crashed"
    assert await reason(client, b"SSH-2.0-x\r\n\r\n") == "upstream.crashed"
    # Until the answer begins, pyreqwest does not tell a lost connection from none.
    assert await reason(client, b"") == "upstream.unreachable"


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/", "http://127.0.0.1:1/"])
async def test_what_cannot_be_reached(client: Client, url: str) -> None:
    with pytest.raises(SendFailed) as failed:
        await post(client, url, {}, b"", number=1, seconds=5, limits=Limits(), heard=lambda _: None)
    assert failed.value.reason in ("upstream.unreachable", "upstream.crashed")


async def test_a_header_that_cannot_be_sent_is_refused(client: Client) -> None:
    with pytest.raises(SendFailed) as failed:
        await post(
            client, "http://127.0.0.1:1/", {"a": "hush\r\nb: y"}, b"", number=1, seconds=5,
            limits=Limits(), heard=lambda _: None,
        )  # fmt: skip
    assert failed.value.reason == "upstream.unreachable"
    assert "hush" not in failed.value.detail


async def test_delete_cares_for_no_answer(client: Client) -> None:
    raw = RawServer(http(b"", b"", b"405 Method Not Allowed"))
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await delete(client, f"http://127.0.0.1:{port}/x", {"Mcp-Session-Id": "s"})
    assert raw.heads[0].startswith(b"DELETE /x HTTP/1.1")


def test_a_cause_leaves_out_the_address_and_what_the_other_side_said() -> None:
    inner = 'certificate not valid for name "a"; certificate is only valid for DnsName("say yes")'
    causes: list[Any] = [{"message": "error for url (http://u:p@a/)"}, {"message": inner}]
    said = cause(ConnectError("error for url (http://u:p@a/)", {"causes": causes}))
    assert said == 'ConnectError: certificate not valid for name "a"'
