"""The gateway of a held stage on a real socket, before clients that others wrote; a person who
answers by the same service as the command line and the console; and who carries out what they say.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from lockgate.app.brake import Brake
from lockgate.app.demo.stage import http_client
from lockgate.app.edge import Edge
from lockgate.app.ingress_http import Ingress
from lockgate.app.protected_resource import ProtectedResource
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals
from lockgate.identity.dpop import Nonces
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Principal
from lockgate.model.inquiry import Answer
from support.holding import execute, held_stage, pending, question, until, wake
from support.house import PLENTY
from support.real_servers import shim
from support.scenario import NOW_MS
from support.staged import BOB
from support.upstream_endpoint import serving

KEYS = {"alice": "alice-key", "bob": "bob-key"}


class HeldServer:
    """``automatic``: what was approved is carried out by the gateway, not by its client."""

    def __init__(self, folder: Path, *, automatic: bool = True) -> None:
        self.stage = held_stage(on_retry=not automatic, limits=(6_000, 1_000, 1_000))
        self.url = ""
        self.automatic = automatic
        self._folder = folder
        people = (self.stage.principal, BOB)
        self._people = {
            f"Bearer {key}": who for key, who in zip(KEYS.values(), people, strict=True)
        }
        self._ingress = Ingress(
            self.stage.gateway, Edge(frozenset(), frozenset(), 100_000, 5.0), self,
            lambda reason, peer: None, lambda: {"status": "ready"},
            Brake(PLENTY, lambda: 0), ProtectedResource(dict, Nonces(b"n" * 32), lambda: 0),
        )  # fmt: skip

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        return await self.recheck(evidence, now_ms)

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        said = evidence.authorization[0] if evidence.authorization else ""
        return self._people.get(said) or AuthRefusal("auth.invalid")

    @asynccontextmanager
    async def up(self) -> AsyncIterator["HeldServer"]:
        async with serving(self._ingress) as url:
            host = url.removeprefix("http://").removesuffix("/mcp")
            self._ingress.edge = Edge(frozenset({host}), frozenset(), 100_000, 5.0)
            self.url = f"{url}/clinic"
            try:
                yield self
            finally:
                self.stage.gateway.stop()

    def key_file(self, who: str) -> Path:
        key = self._folder / f"{who}.key"
        key.write_text(KEYS[who])
        key.chmod(0o600)
        return key

    async def asked(self) -> None:
        """Until somebody is asked."""
        await until(lambda: bool(self.stage.inquiries.listed(["pending"])))

    async def held(self) -> None:
        await until(lambda: pending(self.stage).held > 0)

    async def decide(self, answer: Answer = "yes") -> None:
        """Dora answers."""
        one = question(self.stage)
        room = Approvals(self.stage.inquiries, self.stage.events, self.stage.approvers,
                         Actor("os:dora", "cli"), lambda: NOW_MS, os.urandom)  # fmt: skip
        room.answer(one.id, one.digest, answer)
        wake(self.stage)
        if answer == "yes" and self.automatic:
            await execute(self.stage)
        elif answer == "yes":
            await until(lambda: question(self.stage).state in ("succeeded", "failed"))
            wake(self.stage)

    @asynccontextmanager
    async def client(
        self, way: str, mode: str, who: str = "alice", **more: Any
    ) -> AsyncIterator[Client]:
        """Of the public Python SDK. ``way``: ``http``, or ``stdio`` for ``lockgate stdio``."""
        async with AsyncExitStack() as stack:
            if way == "http":
                headers = {"Authorization": f"Bearer {KEYS[who]}"}
                http = await stack.enter_async_context(http_client(headers))
                transport: Any = streamable_http_client(self.url, http_client=http)
            else:
                key = self.key_file(who)
                log = stack.enter_context((self._folder / "shim.log").open("a"))
                transport = stdio_client(shim(self.url, key), log)
            client = Client(transport, mode=mode, cache=None, **more)
            yield await stack.enter_async_context(client)


async def together(*work: Any) -> list[Any]:
    async with asyncio.timeout(120):
        return list(await asyncio.gather(*work))
