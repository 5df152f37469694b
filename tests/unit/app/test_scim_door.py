import asyncio
from typing import Any

import pytest

from lockgate.app.scim_door import AT_ONCE, ScimDoor, is_scim
from support.asgi import Visit

SECRET, OTHER = "a" * 40, "b" * 40


class App:
    """Remembers what it was given; answers when told to."""

    def __init__(self) -> None:
        self.given: list[tuple[str, bytes]] = []
        self.running = self.most = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.given.append((scope["scheme"], (await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
        self.running -= 1


class Door:
    def __init__(self) -> None:
        self.app = App()
        self.refused: list[tuple[str, str]] = []
        self.door = ScimDoor(self.app, (SECRET, OTHER), "https", self._refuse)

    def _refuse(self, reason: str, peer: str) -> None:
        self.refused.append((reason, peer))

    async def take(self, body: bytes | None = b"{}", *credentials: str, most: int = 100) -> Visit:
        pairs = tuple(("authorization", one) for one in credentials)
        visit = Visit("POST", "/scim/v2/Users", pairs, body)
        async with asyncio.timeout(10):
            await self.door.serve(visit.exchange, most, 0.2)
        return visit


@pytest.mark.parametrize("shown", [f"Bearer {SECRET}", f"bearer  {OTHER}"])
async def test_each_secret_opens_the_door(shown: str) -> None:
    door = Door()
    answer = await door.take(b"{...}", shown)
    assert (answer.status, answer.body) == (200, b"done")
    assert door.app.given == [("https", b"{...}")]
    assert door.refused == []


@pytest.mark.parametrize(
    ("credentials", "reason", "status"),
    [
        ((), "auth.missing", 401),
        (("",), "auth.malformed", 400),
        ((SECRET,), "auth.malformed", 400),
        ((f"Basic {SECRET}",), "auth.malformed", 400),
        ((f"Bearer {SECRET}", f"Bearer {SECRET}"), "auth.malformed", 400),
        ((f"Bearer {SECRET[:-1]}",), "auth.invalid", 401),
        ((f"Bearer {SECRET}x",), "auth.invalid", 401),
        ((f"Bearer {SECRET.upper()}",), "auth.invalid", 401),
        (("Bearer \u00e9",), "auth.malformed", 400),
    ],
)
async def test_nothing_else_does(credentials: tuple[str, ...], reason: str, status: int) -> None:
    door = Door()
    answer = await door.take(b"{}", *credentials)
    assert (answer.status, answer.json["status"]) == (status, str(status))
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert door.app.given == []
    assert door.refused == [(reason, "192.0.2.1")]
    assert SECRET not in str(answer.answers)


async def test_whoever_has_no_secret_is_turned_away_before_the_body_is_read() -> None:
    door = Door()
    visit = Visit("POST", "/scim/v2/Users", {"authorization": "Bearer x"}, None)
    task = asyncio.ensure_future(door.door.serve(visit.exchange, 100, 60))
    await visit.until(lambda v: v.status == 401)
    visit.send_body(b"", more=False)
    await asyncio.wait_for(task, 10)


async def test_a_body_is_bounded_in_size_and_time() -> None:
    door = Door()
    assert (await door.take(b"x" * 101, f"Bearer {SECRET}")).status == 413
    visit = Visit("POST", "/scim/v2/Users", {"authorization": f"Bearer {SECRET}"}, None)
    visit.send_body(b"x", more=True)
    task = asyncio.ensure_future(door.door.serve(visit.exchange, 100, 0.05))
    await visit.until(lambda v: v.status == 408)
    visit.send_body(b"", more=False)
    await asyncio.wait_for(task, 10)
    assert [reason for reason, _ in door.refused] == ["wire.too-large", "wire.too-slow"]
    assert door.app.given == []


async def test_few_are_worked_on_at_once() -> None:
    door = Door()
    door.app.go.clear()
    tasks = [asyncio.ensure_future(door.take(b"", f"Bearer {SECRET}")) for _ in range(9)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert door.app.running == AT_ONCE
    door.app.go.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert (door.app.most, len(door.app.given)) == (AT_ONCE, 9)


@pytest.mark.parametrize(
    ("path", "ours"),
    [("/scim/v2", True), ("/scim/v2/", True), ("/scim/v2/Users", True), ("/scim/v20", False),
     ("/scim", False), ("/mcp/scim/v2", False), ("/SCIM/v2", False)],
)  # fmt: skip
def test_which_paths_it_stands_before(path: str, ours: bool) -> None:
    assert is_scim(path) is ours
