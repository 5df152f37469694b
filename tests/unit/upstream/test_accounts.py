"""Tokens of connected accounts, and how many workers renew them at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lockgate.model import Account, SendFailed, StoreDown
from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.upstream.accounts import (
    LEASE_SECONDS,
    ConnectedAccounts,
    Kept,
    place_of,
    renewed,
)
from lockgate.upstream.oauth_token import OAuthClient, Token
from lockgate.upstream.sources import target_of
from lockgate.upstream.target import Registered, Target, WithheldTarget
from support.oauth_upstream import ALICE, BOB, Ticking, registered, servers
from support.paper_server import Asked, Paper, PaperServer


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        yield server


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def store(ticking: Ticking) -> MemoryAccounts:
    return MemoryAccounts(ticking.ms)


def invite(holder: str, upstream: str, scopes: tuple[str, ...]) -> str:
    return f"link for {holder} to {upstream} {scopes}"


def source(paper: PaperServer, store: Any, ticking: Ticking) -> ConnectedAccounts:
    """One worker's."""
    return ConnectedAccounts(store, servers(paper, ticking), invite, lambda: ticking.now)


async def connect(
    store: MemoryAccounts, upstream: Registered, ticking: Ticking, *, lasts: int = 300,
    refresh: str = "refresh-0", holder: str = ALICE,
) -> None:  # fmt: skip
    target = target_of(upstream)
    token = Token("access-0", ticking.now + lasts, refresh)
    account = Account(holder, upstream.name, target.credential.issuer, place_of(target), ("a",))
    kept = Kept(token, OAuthClient(target.credential.client.id), target.url)
    await store.put(renewed(account, kept))


async def refusal(one: ConnectedAccounts, upstream: Registered, holder: str = ALICE) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        await one.token(upstream, holder, "")
    return failed.value


async def test_who_is_not_connected_is_told_how(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream = registered(paper, "account")
    await connect(store, upstream, ticking)
    failed = await refusal(source(paper, store, ticking), upstream, BOB)
    assert (failed.reason, failed.told) == ("upstream.connect", f"link for {BOB} to notes ()")


async def test_a_fresh_token_is_used_as_it_is(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream = registered(paper, "account")
    await connect(store, upstream, ticking)
    assert (await source(paper, store, ticking).token(upstream, ALICE, "")).access == "access-0"
    assert not paper.asked


async def test_an_old_or_refused_one_is_renewed_and_kept(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=10)
    assert (await one.token(upstream, ALICE, "")).access == "access-1"
    assert (await one.token(upstream, ALICE, "")).access == "access-1"
    assert (await one.token(upstream, ALICE, "access-1")).access == "access-2"
    forms = [asked.form for asked in paper.asked_for("/token")]
    assert [form["refresh_token"] for form in forms] == ["refresh-0", "refresh-1"]
    assert {form["resource"] for form in forms} == {f"{paper.url}/mcp"}


async def test_a_refresh_token_that_is_not_replaced_stays(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    paper.pages["/token"] = Paper({"access_token": "a", "token_type": "Bearer", "expires_in": 5})
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=1)
    await one.token(upstream, ALICE, "")
    await one.token(upstream, ALICE, "")
    assert {asked.form["refresh_token"] for asked in paper.asked_for("/token")} == {"refresh-0"}


async def test_eight_workers_renew_once(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream = registered(paper, "account")
    await connect(store, upstream, ticking, lasts=1)
    workers = [source(paper, store, ticking) for _ in range(8)]
    tokens = await asyncio.gather(*(one.token(upstream, ALICE, "") for one in workers))
    assert {token.access for token in tokens} == {"access-1"}
    assert len(paper.asked_for("/token")) == 1


async def test_a_worker_that_is_gone_is_waited_for_only_so_long(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream = registered(paper, "account")
    await connect(store, upstream, ticking, lasts=1)
    account = await store.get(ALICE, "notes")
    assert account is not None
    assert await store.lease(account, (ticking.now + LEASE_SECONDS) * 1000)
    waiting = asyncio.ensure_future(source(paper, store, ticking).token(upstream, ALICE, ""))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    ticking.now += LEASE_SECONDS
    assert (await waiting).access == "access-1"


async def test_an_account_whose_authorization_ended_is_broken_and_says_so(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    paper.pages["/token"] = Paper({"error": "invalid_grant"}, 400)
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=1)
    for _ in range(2):
        failed = await refusal(one, upstream)
        assert failed.reason == "upstream.connect"
        assert failed.told == f"link for {ALICE} to notes ('a',)"
    assert len(paper.asked_for("/token")) == 1
    (listed,) = store.list()
    assert "authorization ended" in listed.broken


async def test_a_server_that_is_down_breaks_nothing(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    good = paper.pages["/token"]
    paper.pages["/token"] = Paper(status=503)
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=1)
    with pytest.raises(Exception, match="HTTP 503"):
        await one.token(upstream, ALICE, "")
    paper.pages["/token"] = good
    assert (await one.token(upstream, ALICE, "")).access == "access-1"


async def test_without_a_refresh_token_it_is_connected_anew(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=1, refresh="")
    assert "expired" in (await refusal(one, upstream)).detail


async def test_tokens_go_to_no_other_upstream_or_server_under_the_same_name(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    one = source(paper, store, ticking)
    await connect(store, registered(paper, "account"), ticking)
    async with PaperServer() as other:
        other.issue()
        for moved in (
            registered(other, "account", issuer=paper.url),
            registered(paper, "account", issuer=other.url),
        ):
            assert "was before" in (await refusal(one, moved)).detail


async def test_what_was_disconnected_while_it_was_renewed_is_not_used(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking, lasts=1)

    def meanwhile(_: Asked) -> Paper:
        store.disconnect_now(ALICE)
        return Paper({"access_token": "a", "token_type": "Bearer"})

    paper.pages["/token"] = meanwhile
    assert "disconnected meanwhile" in (await refusal(one, upstream)).detail
    assert store.list() == []


class Failing:
    """The store, but that some saves fail."""

    def __init__(self, store: MemoryAccounts) -> None:
        self._store = store
        self.fails = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def renew(self, one: Account) -> bool:
        if self.fails:
            self.fails -= 1
            raise StoreDown("disk full")
        return await self._store.renew(one)


async def test_a_renewed_token_that_could_not_be_saved_is_saved_later(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    """The refresh token before it is worth nothing any more."""
    upstream, failing = registered(paper, "account"), Failing(store)
    one = source(paper, failing, ticking)
    await connect(store, upstream, ticking, lasts=1)
    failing.fails = 1
    assert (await refusal(one, upstream)).reason == "upstream.credential"
    assert (await one.token(upstream, ALICE, "")).access == "access-1"
    assert len(paper.asked_for("/token")) == 1


async def test_what_the_upstream_wants_besides_is_asked_for(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream, one = registered(paper, "account"), source(paper, store, ticking)
    await connect(store, upstream, ticking)
    with pytest.raises(SendFailed) as failed:
        await one.lacks(upstream, ALICE, ("b",))
    assert failed.value.told == f"link for {ALICE} to notes ('a', 'b')"


def test_tokens_never_stand_in_a_repr() -> None:
    assert "s3cret" not in repr(Kept(Token("s3cret", 1), OAuthClient("x", "s3cret"), "r"))


async def revoked(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking, target: Target | None, **how: Any
) -> bool:
    paper.pages["/revoke"] = Paper()
    await connect(store, registered(paper, "account"), ticking, **how)
    account = await store.get(ALICE, "notes")
    assert account is not None
    return await source(paper, store, ticking).revoke(account, target)


@pytest.mark.parametrize(
    ("refresh", "sent"), [("refresh-0", "refresh_token"), ("", "access_token")]
)
async def test_what_was_given_is_ended_where_it_was_given(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking, refresh: str, sent: str
) -> None:
    paper.issue(revocation_endpoint=f"{paper.url}/revoke")
    target = registered(paper, "account").target
    assert await revoked(paper, store, ticking, target, refresh=refresh)
    (asked,) = paper.asked_for("/revoke")
    assert asked.form == {"token": refresh or "access-0", "token_type_hint": sent}
    assert asked.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("target", [None, WithheldTarget("no secret")])
async def test_also_where_the_upstream_is_not_there_any_more(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking, target: Target | None
) -> None:
    paper.issue(revocation_endpoint=f"{paper.url}/revoke")
    assert await revoked(paper, store, ticking, target)
    assert paper.asked_for("/revoke")[0].form["client_id"] == "lockgate"


async def test_a_server_that_has_no_way_to_end_tokens_is_not_asked(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    assert not await revoked(paper, store, ticking, None)
    assert not paper.asked_for("/revoke")


async def test_what_could_not_be_saved_is_forgotten_with_whose_it_is(
    paper: PaperServer, store: MemoryAccounts, ticking: Ticking
) -> None:
    upstream, failing = registered(paper, "account"), Failing(store)
    one = source(paper, failing, ticking)
    await connect(store, upstream, ticking, lasts=1)
    failing.fails = 1
    await refusal(one, upstream)
    one.forget(BOB)
    assert one.holders() == {ALICE}
    one.forget(ALICE)
    assert one.holders() == frozenset()
