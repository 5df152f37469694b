"""Back-channel logout through the whole ingress; the token itself is ``test_logout_token``'s."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockgate.app.logout import PATH, Logout
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.logouts import Logouts
from lockgate.control_plane.services.tokens import Tokens
from lockgate.identity.issuer import Client
from lockgate.identity.key_sets import KeySets
from lockgate.identity.logout_token import EVENT, LoggedOut, LogoutCheck
from lockgate.identity.metadata import Metadata
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.revocations import MemoryRevocations
from lockgate.upstream.fetch import Fetcher, Reach
from support.asgi import Visit
from support.house import HOST, House
from support.tokens import OwnIssuer


class World:
    def __init__(self, own: OwnIssuer) -> None:
        self.own = own
        self.rows = MemoryRevocations()
        fetch = Fetcher(lambda: Reach(internal=frozenset({own.url})))
        keys = KeySets(
            fetch, lambda path: Path(path).read_bytes(), Metadata(fetch, lambda: 0.0), lambda: 0.0
        )
        now_ms = lambda: int(time.time() * 1_000)  # noqa: E731
        tokens = Tokens(self.rows, MemoryEvents(), {}, Actor(""), now_ms, bytes)
        check = LogoutCheck(lambda: {own.url: own.issuer}, keys)

        def revoke(said: LoggedOut, _: str) -> None:
            for one in said.revocations():
                tokens.add(one)

        self.house = House()
        self.house.ingress._beside = {PATH: Logout(Logouts(check, (revoke,), now_ms)).answer}

    async def post(self, body: str, verb: str = "POST") -> Visit:
        headers = {"host": HOST, "content-type": "application/x-www-form-urlencoded"}
        return await self.house.take(Visit(verb, PATH, headers, body.encode()))

    def token(self, **changes: Any) -> str:
        now = int(time.time())
        usual = {"aud": "console", "events": {EVENT: {}}, "iat": now, "exp": now + 60}
        return self.own.token({"typ": "logout+jwt"}, **{**usual, **changes})


def reason(visit: Visit) -> str:
    return str(orjson.loads(visit.body)["error"]["data"]["reason"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with OwnIssuer(clients={"console": Client()}).serving() as own:
        yield World(own)


async def test_who_signed_out_is_revoked_before_the_issuer_is_answered(world: World) -> None:
    said = await world.post(f"logout_token={world.token()}")
    assert said.status == 200
    assert [one.value for one in world.rows.list()] == ["alice"]


@pytest.mark.parametrize(
    "body", ["", "logout_token=x", "logout_token=a&logout_token=b", "x" * 99, "a=1&" * 20]
)
async def test_anything_else_is_a_catalogued_refusal(world: World, body: str) -> None:
    said = await world.post(body)
    assert (said.status, reason(said)) == (400, "auth.logout")
    assert world.rows.list() == ()


async def test_only_a_post_and_only_while_the_keys_can_be_had(world: World) -> None:
    assert reason(await world.post("", "GET")) == "wire.bad-http-method"
    world.own.down = True
    said = await world.post(f"logout_token={world.token()}")
    assert (said.status, reason(said)) == (503, "auth.unknown")


async def test_a_huge_body_is_not_read(world: World) -> None:
    assert reason(await world.post("logout_token=" + "x" * 40_000)) == "wire.too-large"
