from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.identities import Denied
from lockgate.identity.access_token import Accepted
from lockgate.identity.bearer_token import REMEMBER, TokenCheck
from lockgate.identity.introspection import Introspector
from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import LONGEST
from lockgate.identity.key_sets import KeySets
from lockgate.identity.metadata import Metadata
from lockgate.identity.refusal import AuthRefusal
from lockgate.model.revocation import Revocation
from lockgate.store.revocations import MemoryRevocations
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import NOW, NOW_MS, OwnIssuer, encoded


class World:
    def __init__(self, own: OwnIssuer) -> None:
        self.own = own
        self.issuers: Mapping[str, Issuer] = {own.url: own.issuer}
        self.revocations = MemoryRevocations()
        fetch = Fetcher(lambda: Reach(internal=frozenset({own.url})))
        keys = KeySets(
            fetch, lambda path: Path(path).read_bytes(), Metadata(fetch, lambda: 0.0), lambda: 0.0
        )
        self.check = TokenCheck(
            lambda: self.issuers, keys, Introspector(fetch), Denied(self.revocations)
        ).check

    async def refused(self, token: str, now_ms: int = NOW_MS) -> str:
        found = await self.check(token, now_ms)
        assert isinstance(found, AuthRefusal)
        assert token not in found.detail
        return found.reason

    async def accepted(self, token: str, now_ms: int = NOW_MS) -> Accepted:
        found = await self.check(token, now_ms)
        assert isinstance(found, Accepted), found
        return found

    def revoke(self, kind: str, value: str, before: int = NOW_MS) -> None:
        self.revocations.add(
            Revocation(kind, self.own.url, value, before, NOW_MS * 2)  # type: ignore[arg-type]
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with OwnIssuer().serving() as own:
        yield World(own)


async def test_a_token_is_verified_once(world: World) -> None:
    token = world.own.token()
    first = await world.accepted(token)
    world.own.keys = []
    assert await world.accepted(token) is first


async def test_a_known_token_still_expires_but_a_call_may_end(world: World) -> None:
    token = world.own.token(exp=NOW + 10)
    found = await world.accepted(token)
    late = found.expires * 1_000
    assert await world.check(token, late - 1) is found
    assert await world.refused(token, late) == "auth.invalid"
    assert await world.check(token, late + 4_999, 5_000) is found
    assert await world.refused(token, late + 5_000) == "auth.invalid"


@pytest.mark.parametrize(("kind", "claim"), [("token", "jti"), ("session", "sid")])
async def test_a_revoked_token_is_refused_at_once_also_where_it_was_known(
    world: World, kind: str, claim: str
) -> None:
    claims: dict[str, Any] = {claim: "x"}
    token, other = world.own.token(**claims), world.own.token()
    await world.accepted(token)
    kept = await world.accepted(other)
    world.revoke(kind, "x")
    assert await world.refused(token) == "auth.invalid"
    assert await world.accepted(other) is kept


async def test_a_subject_s_tokens_end_but_it_may_sign_in_again(world: World) -> None:
    old, new = world.own.token(iat=NOW - 9), world.own.token(iat=NOW + 1)
    mute = world.own.token(iat=None)
    for token in (old, new, mute):
        await world.accepted(token)
    world.revoke("subject", "alice")
    assert await world.refused(old) == "auth.invalid"
    assert await world.refused(mute) == "auth.invalid", "it may have been issued before"
    await world.accepted(new)


async def test_another_issuer_s_subject_of_that_name_is_somebody_else(world: World) -> None:
    world.revocations.add(Revocation("subject", "https://b.example", "alice", NOW_MS, NOW_MS * 2))
    await world.accepted(world.own.token())


async def test_issuers_that_change_are_asked_anew(world: World) -> None:
    token = world.own.token()
    await world.accepted(token)
    world.issuers = {}
    assert await world.refused(token) == "auth.invalid"


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", f"{encoded({'alg': 'RS256'})}.{encoded({})}.x", "x" * (LONGEST + 1)]
)
async def test_what_is_no_token_of_ours_is_invalid(world: World, token: str) -> None:
    assert await world.refused(token or "-") == "auth.invalid"


async def test_where_keys_cannot_be_had_nobody_knows(world: World) -> None:
    world.own.down = True
    assert await world.refused(world.own.token()) == "auth.unknown"


async def test_what_is_remembered_is_bounded_and_holds_no_token(world: World) -> None:
    check = world.check.__self__  # type: ignore[attr-defined]
    token = world.own.token()
    await world.accepted(token)
    for number in range(REMEMBER):
        check._remember(str(number).encode(), check._known[next(iter(check._known))])
    assert len(check._known) == REMEMBER
    assert token not in repr(vars(check))
