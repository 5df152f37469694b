"""Fixture servers of either era behind one gateway, over HTTP and stdio, and the client of the
public SDK before it, which can be asked everything."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import FileUrl

from lockgate.app.demo.stage import http_client
from support.gateway import ROOT, Gateway
from support.real_servers import program, shim

ERAS = ("legacy", "modern")
TRANSPORTS = ("http", "stdio")
MODES = {"legacy": "legacy", "modern": "2026-07-28", "auto": "auto"}
SECONDS = 20.0

_FIXTURE = [sys.executable, "-m", "conformance.fixture"]
_ENVIRONMENT = {"PYTHONPATH": str(ROOT)}


@contextmanager
def fixture_over_http(era: str) -> Iterator[str]:
    """Its URL."""
    command = [*_FIXTURE, "http", "--era", era]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    ) as running:
        try:
            assert running.stdout is not None
            port = int(running.stdout.readline())
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            running.terminate()


def stdio_fixture(era: str) -> dict[str, Any]:
    return {
        "command": _FIXTURE[0],
        "args": [*_FIXTURE[1:], "stdio", "--era", era],
        "env": _ENVIRONMENT,
    }


@contextmanager
def bridge(folder: Path, workers: int = 1) -> Iterator[Gateway]:
    """A running gateway before ``http-legacy``, ``http-modern``, ``stdio-legacy`` and
    ``stdio-modern``."""
    with fixture_over_http("legacy") as legacy, fixture_over_http("modern") as modern:
        upstreams = {
            "http-legacy": {"url": legacy},
            "http-modern": {"url": modern},
            **{f"stdio-{era}": stdio_fixture(era) for era in ERAS},
        }
        listen = {"port": 0, "workers": workers}
        gate = Gateway(folder, upstreams, limits={"burst": 10_000}, listen=listen)
        gate.key("alice")
        with gate:
            yield gate


class Person:
    """Says yes to everything, and keeps what it was told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.logged: list[str] = []
        self.heard: list[str] = []
        self.changed = asyncio.Event()

    def forget(self) -> None:
        for kept in (self.asked, self.logged, self.heard):
            kept.clear()

    async def elicited(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params.message)
        return types.ElicitResult(action="accept", content={"username": "a", "email": "a@b.c"})

    async def sampled(
        self, context: Any, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.asked.append(str(params.max_tokens))
        said = types.TextContent(type="text", text="Paris")
        return types.CreateMessageResult(role="assistant", content=said, model="m")

    async def listed(self, context: Any) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult(roots=[types.Root(uri=FileUrl("file:///work"))])

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(str(params.data))

    async def hear(self, message: Any) -> None:
        self.heard.append(getattr(message, "method", type(message).__name__))
        self.changed.set()

    async def heard_of(self, method: str) -> None:
        """Wait until a notification of that method came. Raises ``TimeoutError``."""
        async with asyncio.timeout(SECONDS):
            while method not in self.heard:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def client_before(
    gate: Gateway, transport: str, era: str, upstream: str, person: Person
) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        way = await _way(gate, transport, f"{gate.base}/mcp/{upstream}", stack)
        client = Client(
            way,
            mode=MODES[era],
            cache=None,
            read_timeout_seconds=SECONDS,
            elicitation_callback=person.elicited,
            sampling_callback=person.sampled,
            list_roots_callback=person.listed,
            logging_callback=person.log,
            log_level=None if era == "legacy" else "info",
            message_handler=person.hear,
        )
        yield await stack.enter_async_context(client)


async def _way(gate: Gateway, transport: str, url: str, stack: AsyncExitStack) -> Any:
    if transport == "http":
        headers = {"Authorization": f"Bearer {gate.key('alice')}"}
        http = await stack.enter_async_context(http_client(headers))
        return streamable_http_client(url, http_client=http)
    log = stack.enter_context((gate.folder / "shim.log").open("a"))
    if transport == "stdio":
        return stdio_client(shim(url, gate.key_file("alice")), log)
    return stdio_client(_mcp_remote(gate, url, transport.removeprefix("mcp-remote-")), log)


def _mcp_remote(gate: Gateway, url: str, protocol: str) -> StdioServerParameters:
    """As a client's configuration starts it; it waits for no browser."""
    place = gate.folder / "headers"
    place.write_text(f"Authorization: Bearer {gate.key('alice')}\n")
    args = [url, "--transport", "http-only", "--protocol", protocol, "--header-file", str(place)]
    env = {"PATH": os.environ["PATH"], "HOME": str(gate.folder)}
    return StdioServerParameters(command=program("mcp-remote"), args=args, env=env)
