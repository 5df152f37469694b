"""One POST, against raw HTTP/1.1 answers that no well-behaved server would give."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lockgate.model import SendFailed
from lockgate.upstream.exchange import Answer, Place, delete, post, resume
from lockgate.upstream.http1 import HttpClient
from lockgate.wire.jsonrpc import Message
from lockgate.wire.strict_json import Limits

JSON = b"content-type: application/json\r\n"
STREAM = b"content-type: text/event-stream\r\n"
RESULT = b'{"jsonrpc":"2.0","id":7,"result":{"a": 1.50}}'


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


@asynccontextmanager
async def serving(raw: RawServer) -> AsyncIterator[HttpClient]:
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    async with server:
        client = HttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", 5)
        yield client
        await client.close()


async def ask(answer: bytes, heard: list[Message] | None = None, most: int = 10_000) -> Answer:
    told = heard if heard is not None else []
    async with serving(RawServer(answer)) as client:
        return await post(
            client, {"A": "1"}, b"{}", number=7, limits=Limits(bytes=most), heard=told.append
        )


def http(headers: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"\r\n" + body


async def reason(answer: bytes, most: int = 10_000) -> str:
    with pytest.raises(SendFailed) as failed:
        await ask(answer, most=most)
    return failed.value.reason


async def test_json_is_read_raw_and_the_session_seen() -> None:
    said = await ask(http(JSON + b"Mcp-Session-Id: s1\r\n", RESULT))
    assert said.message is not None
    assert said.message.result == b'{"a": 1.50}'
    assert (said.status, said.session) == (200, "s1")


async def test_parameters_and_case_of_the_type_do_not_matter() -> None:
    kind = b"Content-Type: Application/JSON; charset=utf-8\r\n"
    assert (await ask(http(kind, RESULT))).message is not None


async def test_a_stream_is_read_to_its_response() -> None:
    heard: list[Message] = []
    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}'
    body = b": hi\r\n\r\nid: 1\ndata:\n\ndata: " + note + b"\n\ndata: " + RESULT + b"\n\ndata: no"
    said = await ask(http(STREAM, body), heard)
    assert said.message is not None
    assert said.message.result == b'{"a": 1.50}'
    assert [one.params for one in heard] == [b'{"n":1}']


async def test_an_error_without_an_id_is_the_answer() -> None:
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}'
    said = await ask(http(JSON, body, b"400 Bad Request"))
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
async def test_what_is_no_answer_is_garbage(body: bytes) -> None:
    assert await reason(http(JSON, body)) == "upstream.garbage"
    assert await reason(http(STREAM, b"data: " + body + b"\n\n")) in (
        "upstream.garbage", "upstream.crashed",
    )  # fmt: skip


async def test_an_error_page_is_no_message() -> None:
    for kind in (JSON, b"content-type: text/html\r\n", b""):
        said = await ask(http(kind, b"<p>no", b"502 Bad Gateway"))
        assert (said.status, said.message) == (502, None)


async def test_the_caps() -> None:
    large = http(JSON, b'{"a":"' + b"x" * 200 + b'"}')
    assert await reason(large, most=100) == "upstream.too-large"
    event = http(STREAM, b"data: " + b"x" * 200 + b"\n\n")
    assert await reason(event, most=100) == "upstream.too-large"
    comments = http(STREAM, b": x\n\n" * 200)
    assert await reason(comments, most=100) == "upstream.too-large"


async def test_broken_connections() -> None:
    cut = http(JSON, RESULT).replace(b"length: ", b"length: 9")
    assert await reason(cut) == "upstream.crashed"
    assert await reason(http(STREAM, b": nothing\n\n")) == "upstream.crashed"
    assert await reason(b"SSH-2.0-x\r\n\r\n") == "upstream.garbage"
    assert await reason(b"") == "upstream.crashed"


async def test_a_stream_that_can_be_resumed_says_where() -> None:
    cut = b"id: 1\nretry: 250\ndata:\n\nid: 2\ndata: never sent whole"
    said = await ask(http(STREAM, cut))
    assert (said.message, said.left) == (None, Place("1", 250))
    lost = http(STREAM, cut).replace(b"length: ", b"length: 9")
    assert (await ask(lost)).left == Place("1", 250)


async def test_an_empty_id_takes_the_place_back() -> None:
    assert await reason(http(STREAM, b"id: 1\ndata:\n\nid:\ndata:\n\n")) == "upstream.crashed"


async def resumed(answer: bytes, place: Place) -> tuple[Answer, bytes]:
    raw = RawServer(answer)
    async with serving(raw) as client:
        said = await resume(client, {}, place, number=7, limits=Limits(), heard=lambda _: None)
    return said, raw.heads[0]


async def test_resuming_asks_for_what_comes_after_the_place() -> None:
    said, head = await resumed(http(STREAM, b"data: " + RESULT + b"\n\n"), Place("4-2", 5))
    assert head.startswith(b"GET /x HTTP/1.1")
    assert b"\r\nlast-event-id: 4-2\r\n" in head
    assert said.message is not None
    assert said.message.result == b'{"a": 1.50}'


async def test_a_resumed_stream_can_be_resumed_again() -> None:
    said, _ = await resumed(http(STREAM, b": nothing new\n\n"), Place("4", 5))
    assert said.left == Place("4", 5)
    said, _ = await resumed(http(STREAM, b"id: 5\nretry: 7\ndata:\n\n"), Place("4", 5))
    assert said.left == Place("5", 7)


@pytest.mark.parametrize("status", [b"405 Method Not Allowed", b"404 Not Found", b"200 OK"])
async def test_what_does_not_resume_has_crashed(status: bytes) -> None:
    with pytest.raises(SendFailed) as failed:
        await resumed(http(JSON, RESULT, status), Place("4", 5))
    assert failed.value.reason == "upstream.crashed"


async def test_delete_cares_for_no_answer() -> None:
    raw = RawServer(http(b"", b"", b"405 Method Not Allowed"))
    async with serving(raw) as client:
        await delete(client, {"Mcp-Session-Id": "s"})
    assert raw.heads[0].startswith(b"DELETE /x HTTP/1.1")
