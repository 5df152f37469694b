"""Handshakes over real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lockgate.app.seat import Door
from lockgate.app.tls_greeter import TlsGreeter, reason_of
from support.certificates import HOUR, Authority, client_context

CA = Authority()


class Guest(asyncio.Protocol):
    def __init__(self, house: "House") -> None:
        self._house = house

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        self._house.shown.append(tls.getpeercert(binary_form=True) or b"")
        transport.close()


class House:
    def __init__(self, folder: Path, seconds: float = 30.0) -> None:
        self.folder = folder
        self.shown: list[bytes] = []
        self.refused: list[tuple[str, str]] = []
        self._told = asyncio.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*CA.issue(dns=("localhost",)).write(folder, "gate"))
        self.context.load_verify_locations(CA.write(folder / "ca.pem"))
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.greeter = TlsGreeter(lambda: self.context, seconds, self._refuse)
        self.port = 0

    def _refuse(self, reason: str, peer: str) -> None:
        self.refused.append((reason, peer))
        self._told.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            self.port = listener.getsockname()[1]
            door = Door(listener, lambda: Guest(self), self.greeter)
            try:
                yield self
            finally:
                door.close()

    async def visit(self, context: ssl.SSLContext) -> None:
        """Ends when the house has closed the connection."""
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
            )
            await reader.read()
            writer.close()
            await writer.wait_closed()
        except (ssl.SSLError, ConnectionError):
            return

    async def told(self) -> str:
        """The reason of the one refusal."""
        async with asyncio.timeout(10):
            await self._told.wait()
        ((reason, peer),) = self.refused
        assert peer == "127.0.0.1"
        return reason


async def test_a_client_comes_in_with_or_without_a_certificate(tmp_path: Path) -> None:
    desk = CA.workload("desk")
    async with House(tmp_path).open() as house:
        await house.visit(client_context(tmp_path / "ca.pem"))
        await house.visit(client_context(tmp_path / "ca.pem", desk.write(tmp_path, "desk")))
    assert house.shown == [b"", desk.der]
    assert house.refused == []


@pytest.mark.parametrize("kind", ["unknown", "expired"])
async def test_a_certificate_that_does_not_hold_is_counted(tmp_path: Path, kind: str) -> None:
    strange = Authority() if kind == "unknown" else CA
    issued = strange.workload("desk", ends=HOUR if kind == "unknown" else -HOUR / 2)
    async with House(tmp_path).open() as house:
        await house.visit(client_context(tmp_path / "ca.pem", issued.write(tmp_path, "desk")))
        assert await house.told() == "auth.certificate"
    assert house.shown == []


async def test_who_must_show_one_and_shows_none_is_counted(tmp_path: Path) -> None:
    async with House(tmp_path).open() as house:
        house.context.verify_mode = ssl.CERT_REQUIRED
        await house.visit(client_context(tmp_path / "ca.pem"))
        assert await house.told() == "auth.missing"
    assert house.shown == []


async def test_what_is_no_tls_is_counted(tmp_path: Path) -> None:
    async with House(tmp_path).open() as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await house.told() == "wire.not-tls"
        writer.close()


async def test_a_handshake_that_does_not_go_on_ends(tmp_path: Path) -> None:
    async with House(tmp_path, seconds=0.05).open() as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        assert await house.told() == "wire.too-slow"
        writer.close()


async def test_the_next_handshake_is_with_the_context_of_then(tmp_path: Path) -> None:
    async with House(tmp_path).open() as house:
        old = client_context(tmp_path / "ca.pem")
        await house.visit(old)
        renewed = House(tmp_path / "new")
        house.context = renewed.context
        await house.visit(client_context(tmp_path / "new" / "ca.pem"))
    assert house.shown == [b"", b""]


def test_who_merely_leaves_is_not_counted() -> None:
    assert reason_of(ConnectionResetError()) == ""
    assert reason_of(EOFError()) == ""
