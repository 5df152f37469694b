"""The HTTP/1.1 client, against raw servers that are good and bad in each way."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lockgate.model import SendFailed
from lockgate.upstream.http1 import IDLE, HttpClient

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request on a connection with the next of the given bytes."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self.answers = list(answers)
        self.close = close
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.waiting = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        _, _, rest = head.partition(b"content-length: ")
        body = await reader.readexactly(int(rest.split(b"\r\n")[0])) if rest else b""
        self.requests.append(head + body)
        self.asked.set()
        if not self.answers:
            self.waiting.set()
            await reader.readexactly(1)
        writer.write(self.answers.pop(0))
        await writer.drain()
        if self.close:
            raise ConnectionError


@asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port. Leaving waits until every connection has been served."""
    served: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        served.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(one, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        if served:
            await asyncio.wait(served, timeout=5)


@asynccontextmanager
async def to(serve: Serve) -> AsyncIterator[HttpClient]:
    async with listening(serve) as port:
        client = HttpClient(f"http://127.0.0.1:{port}/mcp", 5)
        yield client
        await client.close()


async def body(client: HttpClient, verb: str = "POST", sent: bytes = b"") -> bytes:
    response = await client.send(verb, {}, sent)
    parts = []
    try:
        while part := await response.read():
            parts.append(part)
    finally:
        response.close()
    return b"".join(parts)


async def reason(answer: bytes, close: bool = True) -> str:
    async with to(Server(answer, close=close)) as client:
        with pytest.raises(SendFailed) as failed:
            await body(client)
    return failed.value.reason


async def test_a_request_says_what_it_must_and_nothing_twice() -> None:
    server = Server(OK)
    async with to(server) as client:
        headers = {"A": "1", "a": "2", "User-Agent": "x", "B": " v "}
        response = await client.send("POST", headers, b"{}")
        assert (response.status, response.header("Content-Length")) == (200, "2")
        assert response.header("missing") is None
        response.close()
    first, *rest = server.requests[0].split(b"\r\n")
    assert first == b"POST /mcp HTTP/1.1"
    assert sorted(rest[1:-2]) == [b"a: 2", b"b: v", b"content-length: 2", b"user-agent: x"]
    assert rest[0].startswith(b"host: 127.0.0.1:")
    assert rest[-2:] == [b"", b"{}"]


async def test_a_get_has_no_body_and_a_post_always() -> None:
    server = Server(OK, OK)
    async with to(server) as client:
        await body(client, "GET")
        await body(client, "POST")
    assert b"content-length" not in server.requests[0]
    assert b"content-length: 0" in server.requests[1]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nx: y\r\n\r\nHTTP/1.1 100 Go\r\n\r\n" + OK,
    ],
    ids=["length", "chunked", "after others"],
)
async def test_a_whole_response_leaves_a_connection_for_the_next(answer: bytes) -> None:
    server = Server(answer, OK)
    async with to(server) as client:
        assert await body(client) == b"ok"
        assert await body(client) == b"ok"
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        OK + b"x",
    ],
    ids=["close", "old", "another answer", "more bytes"],
)
async def test_what_may_not_be_used_again_is_not(answer: bytes) -> None:
    """A second answer that nobody asked for would be taken for that to the next request."""
    server = Server(answer, OK)
    async with to(server) as client:
        assert await body(client) == b"ok"
        assert await body(client) == b"ok"
    assert server.connections == 2


async def test_what_comes_on_an_idle_connection_closes_it() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await idle.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        with suppress(ConnectionError):
            await reader.read()
        closed.set()

    idle, closed = asyncio.Event(), asyncio.Event()
    async with to(late) as client, asyncio.timeout(5):
        assert await body(client) == b"ok"
        idle.set()
        await closed.wait()


async def test_a_body_without_length_ends_with_the_connection() -> None:
    async with to(Server(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)) as client:
        assert await body(client) == b"all of it"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "crashed"),
        (b"HTTP/1.1 200", "crashed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "crashed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok", "crashed"),
        (b"SSH-2.0-x\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "garbage"),
        (OK.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"), "garbage"),
        (b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nx", "garbage"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, "too-large"),
        (b"HTTP/1.1 103 E\r\nx: y\r\n\r\n" * 5_000, "too-large"),
    ],
    ids=["nothing", "half a head", "short", "short chunk", "no HTTP", "two lengths",
         "length and chunks", "upgrade", "long head", "many heads"],
)  # fmt: skip
async def test_what_is_no_response(answer: bytes, why: str) -> None:
    assert await reason(answer) == f"upstream.{why}"


async def test_endless_trailers_are_too_large() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert await reason(head + b"a: b\r\n" * 40_000) == "upstream.too-large"


async def test_cancelling_closes_the_connection_before_the_answer_and_in_it() -> None:
    for begun in (False, True):
        server = Server(*[b"HTTP/1.1 200 OK\r\n\r\nbegun"] * begun)
        async with to(server) as client, asyncio.timeout(5):
            running = asyncio.create_task(body(client))
            await server.asked.wait()
            running.cancel()
            await server.closed.wait()
            await asyncio.wait({running})
            assert running.cancelled()


async def test_what_nobody_reads_is_not_fetched_without_end() -> None:
    fetched = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal fetched
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            async with asyncio.timeout(0.3):
                while True:
                    writer.write(b"x" * 2**20)
                    await writer.drain()
                    fetched += 2**20
        except TimeoutError:
            full.set()

    full = asyncio.Event()
    async with to(endless) as client:
        response = await client.send("GET", {})
        async with asyncio.timeout(5):
            await full.wait()
        assert fetched < 2**25, "the system buffers some of it"
        assert await response.read()
        assert await response.read()
        response.close()


async def test_many_at_once_and_at_most_some_are_kept() -> None:
    server = Server(*[OK] * 200)
    async with to(server) as client:
        assert await asyncio.gather(*(body(client) for _ in range(100))) == [b"ok"] * 100
        assert server.connections == 100
        await asyncio.gather(*(body(client) for _ in range(IDLE)))
        assert server.connections == 100
        await asyncio.gather(*(body(client) for _ in range(IDLE + 1)))
        assert server.connections == 101


async def test_a_connection_that_was_closed_is_not_used_again() -> None:
    server = Server(OK, OK, close=True)
    async with to(server) as client, asyncio.timeout(5):
        assert await body(client) == b"ok"
        await server.closed.wait()
        await asyncio.sleep(0)
        assert await body(client) == b"ok"
    assert server.connections == 2


async def test_close_ends_what_is_underway() -> None:
    server = Server()
    async with to(server) as client, asyncio.timeout(5):
        running = asyncio.create_task(body(client))
        await server.waiting.wait()
        await client.close()
        with pytest.raises(SendFailed) as failed:
            await running
    assert failed.value.reason == "upstream.crashed"


@pytest.mark.parametrize(
    "headers", [{"a": "hush\r\nb: y"}, {"a\nhush": "y"}, {"": "hush"}, {"a": "hush\0"}]
)
async def test_a_header_that_cannot_be_sent_is_refused_and_not_repeated(
    headers: dict[str, str],
) -> None:
    with pytest.raises(SendFailed) as failed:
        await HttpClient("http://127.0.0.1:1/", 5).send("POST", headers)
    assert failed.value.reason == "upstream.unreachable"
    assert "hush" not in failed.value.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "nonsense"])
async def test_what_cannot_be_reached(url: str) -> None:
    with pytest.raises(SendFailed) as failed:
        await HttpClient(url, 5).send("GET", {})
    assert failed.value.reason == "upstream.unreachable"


async def test_connecting_has_a_limit() -> None:
    """A server that never answers the TLS greeting."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        with pytest.raises(SendFailed, match=r"no connection in 0\.1 s"):
            await HttpClient(f"https://127.0.0.1:{port}/", 0.1).send("GET", {})


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server of that name, and for a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.fromtimestamp(0, datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=40_000))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem, secret)
    return serving, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tls_and_its_refusals(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    serving, trusting = certificate(tmp_path, "localhost")

    async def all_of_it() -> None:
        server = Server(OK, OK)
        async with listening(server, serving) as port:
            client = HttpClient(f"https://localhost:{port}/", 5, trusting)
            assert await body(client) == b"ok"
            assert await body(client) == b"ok"
            assert server.connections == 1
            await client.close()
            await refused(f"https://127.0.0.1:{port}/", trusting)
            await refused(f"https://localhost:{port}/", None)
        assert len(server.requests) == 2

    async def refused(url: str, context: ssl.SSLContext | None) -> None:
        with pytest.raises(SendFailed, match="its certificate is not valid") as failed:
            await HttpClient(url, 5, context).send("GET", {})
        assert failed.value.reason == "upstream.unreachable"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(all_of_it())
