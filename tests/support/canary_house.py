"""The whole gateway in this process, on a real socket, with a watching control of every kind."""

import asyncio
import json
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from lockgate.app.listening import address_of, listen
from lockgate.app.server import Running, opened, server_config
from lockgate.app.settings_file import load
from lockgate.app.stamps import now_ms
from lockgate.app.stores import open_stores
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from lockgate.model.call import EraName
from support.canary_client import HttpWire, Voice, Wire, stdio_wire
from support.canary_upstream import RELAY, AsProgram, OverHttp, Peer
from support.canary_words import Mint, Sight, watched, words_in
from support.client import http_client
from support.gateway import PERMIT_ALL
from support.upstream_endpoint import serving

ERAS: tuple[EraName, ...] = ("legacy", "modern")
TRANSPORTS = ("http", "stdio")
_LIMITS = {"burst": 1_000_000, "calls_per_minute": 1_000_000, "concurrent_calls": 1_000}


class Leak(msgspec.Struct, frozen=True):
    """Words that came out and that no control had been shown by then."""

    towards: str
    words: frozenset[str]


class House:
    """``upstreams``: by name, ``<transport>-<era>``."""

    def __init__(self, folder: Path) -> None:
        self.mint = Mint()
        self.sight = Sight()
        self.upstreams = {
            f"{transport}-{era}": Peer(era, self.mint, self.at_upstream)
            for transport in TRANSPORTS
            for era in ERAS
        }
        self.leaks: list[Leak] = []
        self.out: dict[str, set[str]] = {"client": set(), "upstream": set()}
        """Words that came out at the client, and at an upstream."""
        self.base = ""
        self.folder = folder
        self.config = folder / "lockgate.yaml"
        self._key = ""

    def at_client(self, raw: bytes) -> None:
        self._came("upstream", "client", raw)

    def at_upstream(self, raw: bytes) -> None:
        self._came("client", "upstream", raw)

    def _came(self, side: str, to: str, raw: bytes) -> None:
        found = self.mint.of(side, words_in(raw))
        self.out[to] |= found
        unseen = found - self.sight.all
        if unseen:
            self.leaks.append(Leak(to, frozenset(unseen)))

    def leaked(self) -> list[str]:
        """Where those words had been planted."""
        found: set[str] = set().union(*(leak.words for leak in self.leaks))
        return self.mint.places(found)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        async with AsyncExitStack() as stack:
            settings = await self._upstreams(stack)
            self._write(settings)
            listener = stack.enter_context(listen("127.0.0.1", 0))
            bound = address_of(listener)
            running = await stack.enter_async_context(opened(self.config, load(self.config), bound))
            self._watch(running)
            await stack.enter_async_context(_answering(running, listener))
            self.base = f"http://{bound}"
            yield self

    async def _upstreams(self, stack: AsyncExitStack) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, peer in self.upstreams.items():
            if name.startswith("http"):
                found[name] = {"url": await stack.enter_async_context(serving(OverHttp(peer)))}
                continue
            relays = await asyncio.start_server(AsProgram(peer).joined, "127.0.0.1", 0)
            stack.push_async_callback(_stop, relays)
            port = relays.sockets[0].getsockname()[1]
            args = ["-I", "-S", "-c", RELAY, str(port), peer.word("stderr")]
            found[name] = {"command": sys.executable, "args": args}
        return found

    def _write(self, upstreams: dict[str, Any]) -> None:
        policies = self.folder / "policies"
        policies.mkdir()
        (policies / "all.cedar").write_text(PERMIT_ALL)
        said = {"upstreams": upstreams, "limits": _LIMITS}
        self.config.write_text(json.dumps(said))
        stores = open_stores(self.folder / "data")
        try:
            acting = Acting(Actor("t"), stores.events, now_ms, secrets.token_bytes)
            keys = Keys(stores.keys, acting, stores.secrets.pepper())
            self._key = keys.create(KeyOrder("personal", "alice", 1)).text
        finally:
            stores.engine.dispose()

    def _watch(self, running: Running) -> None:
        state = running.gateway.state
        gate = msgspec.structs.replace(state.gate, order=watched(state.gate.order, self.sight))
        running.gateway.state = msgspec.structs.replace(state, gate=gate)

    @asynccontextmanager
    async def voice(
        self, transport: str, era: EraName, capabilities: dict[str, Any], path: str
    ) -> AsyncIterator[Voice]:
        """A client of one endpoint, ready to ask."""
        url = f"{self.base}{path}"
        async with AsyncExitStack() as stack:
            wire: Wire
            if transport == "http":
                http = await stack.enter_async_context(http_client())
                wire = over = HttpWire(http, url, self._key, self.mint, self.at_client)
                stack.push_async_callback(over.close)
            else:
                wire = await stack.enter_async_context(stdio_wire(url, self._key, self.at_client))
            voice = Voice(era, wire, self.mint, capabilities)
            await voice.open()
            yield voice


async def _stop(relays: asyncio.Server) -> None:
    relays.close()


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves the test's signal handlers alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def _answering(running: Running, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(server_config(running.ingress, running.settings, running.refused))
    serving_now = asyncio.create_task(server._serve([listener]))
    await server.ready.wait()
    try:
        yield
    finally:
        running.gateway.hub.stop()
        server.should_exit = True
        await serving_now
