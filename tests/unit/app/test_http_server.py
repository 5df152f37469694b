import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from lockgate.app.http_protocol import BoundedHttpProtocol
from lockgate.app.http_server import Server
from lockgate.app.tls_greeter import TlsGreeter
from support.certificates import Authority, client_context


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status(address: tuple[str, int], tls: ssl.SSLContext | None = None) -> bytes:
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection(*address, ssl=tls, server_hostname=name)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.split()[1]


@pytest.mark.parametrize("shared", [False, True])
async def test_it_answers_says_so_and_ends_what_is_open_first(shared: bool) -> None:
    ready, said = asyncio.Event(), []
    config = uvicorn.Config(hello, lifespan="off", log_config=None, ws="none")
    server = Server(config, lambda: said.append("stopping"))
    server.ready = ready.set
    server.shared = shared
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        async with asyncio.timeout(10):
            await ready.wait()
            assert await status(address) == b"204"
            assert not said
            server.should_exit = True
            await serving
    assert said == ["stopping"]


async def test_two_answer_on_one_socket() -> None:
    config = uvicorn.Config(hello, lifespan="off", log_config=None, ws="none")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        servers = [Server(config, lambda: None) for _ in range(2)]
        ready = [asyncio.Event() for _ in servers]
        for server, event in zip(servers, ready, strict=True):
            server.shared, server.ready = True, event.set
        sockets = [listener, listener.dup()]
        serving = [
            asyncio.ensure_future(server.serve(sockets=[one]))
            for server, one in zip(servers, sockets, strict=True)
        ]
        async with asyncio.timeout(10):
            for event in ready:
                await event.wait()
            answers = await asyncio.gather(*(status(listener.getsockname()) for _ in range(20)))
            assert set(answers) == {b"204"}
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)
        sockets[1].close()


async def test_connections_are_greeted_with_a_handshake(tmp_path: Path) -> None:
    ca = Authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.issue(dns=("localhost",)).write(tmp_path, "gate"))
    context.load_verify_locations(ca.write(tmp_path / "ca.pem"))
    context.verify_mode = ssl.CERT_OPTIONAL
    desk, shown, ready = ca.workload("desk"), [], asyncio.Event()

    async def told(scope: Any, receive: Any, send: Any) -> None:
        shown.append((scope["scheme"], scope["client_certificate"]))
        await hello(scope, receive, send)

    config = uvicorn.Config(
        told, lifespan="off", log_config=None, ws="none", http=BoundedHttpProtocol
    )
    greeter = TlsGreeter(lambda: context, 10.0, lambda *_: None)
    server = Server(config, lambda: None, greeter)
    server.ready = ready.set
    files = desk.write(tmp_path, "desk")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        async with asyncio.timeout(10):
            await ready.wait()
            for client in (client_context(tmp_path / "ca.pem", files),
                           client_context(tmp_path / "ca.pem")):  # fmt: skip
                assert await status(address, client) == b"204"
            server.should_exit = True
            await serving
    assert shown == [("https", desk.der), ("https", b"")]
