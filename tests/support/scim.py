"""An identity provider that speaks to a SCIM endpoint in this process, its stores in memory."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from lockgate.control_plane.scim.endpoint import ScimEndpoint
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.people import People
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_keys import MemoryKeys
from lockgate.store.memory_people import MemoryPeople
from support.asgi import Visit

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
HOST = "gate.example"


class Provider:
    def __init__(self) -> None:
        self.store = MemoryPeople()
        self.keys = MemoryKeys()
        self.events = MemoryEvents()
        self.written = 0
        self.now = 1_800_000_000_000
        actor = Actor("idp", "scim")
        acting = Acting(actor, self.events, lambda: self.now, secrets.token_bytes)
        self.people = People(self.store, self.keys, acting)
        self.endpoint = ScimEndpoint(self.people, self._write)

    def _write(self) -> None:
        self.written += 1

    async def send(
        self, method: str, path: str, said: Any = None, query: Mapping[str, str] | None = None
    ) -> Visit:
        body = said if isinstance(said, bytes) else b"" if said is None else orjson.dumps(said)
        visit = Visit(method, f"/scim/v2{path}", {"host": HOST}, body,
                      urlencode(query or {}).encode())  # fmt: skip
        async with asyncio.timeout(20):
            await self.endpoint(visit.scope, visit.receive, visit.send)
        return visit

    async def user(self, name: str, **more: Any) -> Any:
        """Makes one, and what was answered."""
        made = await self.send("POST", "/Users", {"schemas": [USER], "userName": name, **more})
        assert made.status == 201, made.body
        return made.json

    async def group(self, name: str, *members: str) -> Any:
        said = {"schemas": [GROUP], "displayName": name, "members": [{"value": m} for m in members]}
        made = await self.send("POST", "/Groups", said)
        assert made.status == 201, made.body
        return made.json

    async def patch(self, path: str, *operations: Any) -> Visit:
        return await self.send("PATCH", path, {"schemas": [PATCH], "Operations": operations})

    async def names(self, path: str, filter: str) -> list[str]:
        found = await self.send("GET", path, query={"filter": filter})
        assert found.status == 200, found.body
        return [r.get("userName", r.get("displayName")) for r in found.json.get("Resources", [])]
