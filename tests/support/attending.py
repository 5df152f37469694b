"""Clients of a ``Stage`` that are told things outside of their calls."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from lockgate.app.hub import Hub
from lockgate.model import Principal, Session, SessionState, StoreDown, Terms
from lockgate.upstream.link import Event
from lockgate.wire.headers import Headers
from support.scenario import Stage
from support.staged import Speaker

ALICE = "person:alice"
LISTEN = "subscriptions/listen"
Json = dict[str, Any]


class DownStates:
    """A store of session states that nobody can reach."""

    def load(self, session_id: str) -> SessionState:
        raise StoreDown("simulated")

    async def renew(self) -> None:
        raise StoreDown("simulated")

    async def change(
        self, session_id: str, change: Callable[[SessionState], SessionState], expires: int
    ) -> SessionState:
        raise StoreDown("simulated")


class Ear(list[Json]):
    """What a client hears; ``heard`` is set when there is something new."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def append(self, message: Json) -> None:
        super().append(message)
        self.heard.set()


class Client(Speaker):
    """One that also has a stream of its session."""

    def __init__(
        self, stage: Stage, path: str = "/mcp/clinic", who: Principal | None = None
    ) -> None:
        super().__init__(stage, path, who)
        self.heard = self.ear = Ear()

    async def attend(self) -> Session:
        if not self.session:
            await self.open()
        session = self.session_itself()
        hub = self.stage.gateway.hub
        track = hub.attend(session, self.caller())
        self.follower = track.follow()
        await settled(hub)
        return session

    def session_itself(self) -> Session:
        sent = Headers([(b"mcp-session-id", self.session.encode())])
        found = self.stage.gateway.resume(sent, self.caller())
        assert found is not None
        return found

    def told(self) -> list[Json]:
        """What came on the session's stream since the last look."""
        said = self.follower.take().split(b"\n\n")
        found = [part.partition(b"data: ")[2] for part in said]
        return [orjson.loads(data) for data in found if data.strip()]


async def settled(hub: Hub) -> None:
    """Until nothing is under way in the background."""
    async with asyncio.timeout(10):
        while hub.busy:
            await asyncio.wait(hub.busy)


async def heard(stage: Stage, method: str, params: Json, terms: Terms | None = None) -> None:
    event = Event("clinic", terms or Terms(ALICE), method, orjson.dumps(params))
    stage.gateway.hub.hear(event)
    await settled(stage.gateway.hub)


async def listening(
    client: Client, filters: Json, id: object = 1
) -> "tuple[asyncio.Task[Any], Json]":
    """The request under way, and its acknowledgement."""
    before = len(client.heard)
    task = asyncio.ensure_future(client.modern(LISTEN, {"notifications": filters}, id))
    async with asyncio.timeout(5):
        await client.ear.heard.wait()
    client.ear.heard.clear()
    return task, client.heard[before]
