from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.identity.issuer import Client
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.key_sets import KeySets
from lockgate.identity.logout_token import (
    EVENT,
    LONGEST_TOKEN_MS,
    MOST_AGE_SECONDS,
    LoggedOut,
    LogoutCheck,
)
from lockgate.identity.metadata import Metadata
from lockgate.model.revocation import Revocation
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import NOW, NOW_MS, OwnIssuer

SAID: dict[str, Any] = {"aud": "console", "events": {EVENT: {}}, "exp": NOW + 60, "iat": NOW}


class World:
    def __init__(self, own: OwnIssuer) -> None:
        self.own = own
        fetch = Fetcher(lambda: Reach(internal=frozenset({own.url})))
        keys = KeySets(
            fetch, lambda path: Path(path).read_bytes(), Metadata(fetch, lambda: 0.0), lambda: 0.0
        )
        self._check = LogoutCheck(lambda: {own.url: own.issuer}, keys)

    async def check(self, type: str = "logout+jwt", **changes: Any) -> LoggedOut:
        return await self._check.check(self.own.token({"typ": type}, **{**SAID, **changes}), NOW_MS)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with OwnIssuer(clients={"console": Client()}).serving() as own:
        yield World(own)


async def test_a_session_that_ended_is_revoked_and_else_its_subject(world: World) -> None:
    over = NOW_MS + LONGEST_TOKEN_MS
    url = world.own.url
    alice = Revocation("subject", url, "alice", NOW_MS, over)
    session = Revocation("session", url, "s-1", NOW_MS, over)
    assert (await world.check()).revocations() == (alice,)
    both = await world.check(sid="s-1")
    assert both.revocations() == (session, alice), "tokens may not say their session"
    assert (await world.check("JWT", sub=None, sid="s-1")).revocations() == (session,)


async def test_it_says_who_where_and_how_long_to_remember_it(world: World) -> None:
    said = await world.check(sid="s-1", jti="j-1", exp=NOW + 86_400)
    assert (said.sub, said.session, said.token_id) == ("alice", "s-1", "j-1")
    assert said.forget > NOW_MS + 1_000 * (MOST_AGE_SECONDS + 30), "longer than it is taken"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "at+jwt"}, {"aud": "other"}, {"aud": None}, {"events": None}, {"events": {}},
        {"events": {EVENT: True}}, {"events": [EVENT]}, {"events": EVENT}, {"nonce": "n"},
        {"nonce": ""}, {"jti": None}, {"jti": ""}, {"jti": 7}, {"exp": None}, {"exp": 1},
        {"sub": None}, {"iat": None}, {"iat": NOW - MOST_AGE_SECONDS - 31},
        {"iss": "https://mallory.example"},
    ],
)  # fmt: skip
async def test_what_is_no_logout_of_ours_is_refused(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(NotAccepted):
        await world.check(**changes)


async def test_it_is_signed_by_its_issuer(world: World) -> None:
    token = world.own.token({"typ": "logout+jwt"}, **SAID)
    claims = token.split(".")[1]
    none = f"eyJhbGciOiJub25lIn0.{claims}."
    for bad in (
        token[:-8] + "AAAAAAAA",
        "x",
        "",
        "a.b.c",
        none,
        world.own.token({"kid": "other"}, **SAID),
    ):
        with pytest.raises(NotAccepted):
            await world._check.check(bad, NOW_MS)
