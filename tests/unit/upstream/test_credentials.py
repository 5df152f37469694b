"""Tokens in memory: whose they are, how long they are used, who waits for whom."""

import asyncio

import pytest

from lockgate.model import SendFailed, Upstream
from lockgate.upstream.credential import Credential, Mode, NoBearer
from lockgate.upstream.credentials import MARGIN_SECONDS, Credentials
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.target import HttpTarget, Registered, StdioTarget
from support.oauth_upstream import ALICE, BOB, Ticking

LASTS = 300


class Source:
    """Gives a new token each time, and says for whom."""

    kept = True

    def __init__(self, ticking: Ticking) -> None:
        self.ticking = ticking
        self.asked: list[tuple[str, str, str]] = []
        self.lacking: list[tuple[str, ...]] = []
        self.began, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.failing: Exception | None = None

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:
        self.asked.append((registered.name, holder, refused))
        self.began.set()
        await self.gate.wait()
        if self.failing:
            raise self.failing
        number = len(self.asked)
        return Token(f"{holder} {registered.name} {number}", self.ticking.now + LASTS)

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        self.lacking.append(scopes)


def upstream(mode: Mode = "exchange", name: str = "notes", place: str = "1") -> Registered:
    target = HttpTarget("https://up.example/mcp", {}, Credential(mode))
    return Registered(Upstream(name, fingerprint=place), target)


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def source(ticking: Ticking) -> Source:
    return Source(ticking)


@pytest.fixture
def credentials(source: Source, ticking: Ticking) -> Credentials:
    sources = {"exchange": source, "client_credentials": source}
    return Credentials(sources, lambda: ticking.now)  # type: ignore[arg-type]


async def said(credentials: Credentials, registered: Registered, holder: str) -> str:
    return (await credentials.bearer(registered, holder).headers())["Authorization"]


async def test_a_token_is_used_until_shortly_before_its_end(
    credentials: Credentials, source: Source, ticking: Ticking
) -> None:
    assert await said(credentials, upstream(), ALICE) == f"Bearer {ALICE} notes 1"
    ticking.now += LASTS - MARGIN_SECONDS - 1
    assert await said(credentials, upstream(), ALICE) == f"Bearer {ALICE} notes 1"
    ticking.now += 1
    assert await said(credentials, upstream(), ALICE) == f"Bearer {ALICE} notes 2"


async def test_no_two_principals_upstreams_or_places_share_one(
    credentials: Credentials, source: Source
) -> None:
    many = {
        await said(credentials, upstream(name=name, place=place), who)
        for name in ("notes", "wiki")
        for place in "12"
        for who in (ALICE, BOB)
    }
    assert len(many) == 8


async def test_many_who_need_it_wait_for_one_request(
    credentials: Credentials, source: Source
) -> None:
    source.gate.clear()
    waiting = [asyncio.ensure_future(said(credentials, upstream(), ALICE)) for _ in range(9)]
    await source.began.wait()
    waiting.pop().cancel()  # whoever leaves takes nothing from the others
    source.gate.set()
    assert set(await asyncio.gather(*waiting)) == {f"Bearer {ALICE} notes 1"}
    assert len(source.asked) == 1


async def test_what_the_upstream_refused_is_had_anew_once(
    credentials: Credentials, source: Source
) -> None:
    bearer = credentials.bearer(upstream(), ALICE)
    first = await bearer.headers()
    await bearer.refused(first, "", again=False)
    second = await bearer.headers()
    assert second != first
    assert source.asked[1] == ("notes", ALICE, f"{ALICE} notes 1")
    await bearer.refused(second, "", again=True)
    assert source.lacking == [()]


async def test_scopes_that_are_missing_are_told(credentials: Credentials, source: Source) -> None:
    bearer = credentials.bearer(upstream(), ALICE)
    challenge = 'Bearer error="insufficient_scope", scope="a b"'
    await bearer.refused(await bearer.headers(), challenge, again=False)
    assert source.lacking == [("a", "b")]


async def test_a_source_may_want_to_be_asked_each_time(
    credentials: Credentials, source: Source
) -> None:
    source.kept = False
    await said(credentials, upstream(), ALICE)
    await said(credentials, upstream(), ALICE)
    assert len(source.asked) == 2


async def test_forgetting_takes_all_of_one_person(credentials: Credentials, source: Source) -> None:
    for name in ("notes", "wiki"):
        await said(credentials, upstream(name=name), ALICE)
        await said(credentials, upstream(name=name), BOB)
    assert credentials.holders() == {ALICE, BOB}
    credentials.forget(ALICE)
    assert credentials.holders() == {BOB}
    assert (await said(credentials, upstream(name="wiki"), ALICE)).endswith("5")
    assert (await said(credentials, upstream(), ALICE)).endswith("6")
    assert (await said(credentials, upstream(), BOB)).endswith("2")


async def test_a_failure_is_told_and_not_kept(credentials: Credentials, source: Source) -> None:
    source.failing = OAuthFailed("HTTP 400 invalid_client", "invalid_client")
    with pytest.raises(SendFailed) as failed:
        await said(credentials, upstream(), ALICE)
    assert (failed.value.reason, failed.value.detail) == (
        "upstream.credential", "HTTP 400 invalid_client",
    )  # fmt: skip
    source.failing = None
    assert await said(credentials, upstream(), ALICE)


@pytest.mark.parametrize(("mode", "holder"), [("exchange", ""), ("account", ALICE)])
async def test_nothing_is_sent_where_nobody_has_a_credential(
    credentials: Credentials, mode: Mode, holder: str
) -> None:
    """A personal one on a shared link, or a mode that is not there."""
    bearer = credentials.bearer(upstream(mode), holder)
    with pytest.raises(SendFailed, match=r"upstream\.credential"):
        await bearer.headers()
    await bearer.refused({}, "", again=False)


async def test_where_headers_are_configured_nothing_joins_them(credentials: Credentials) -> None:
    child = Registered(Upstream("x"), StdioTarget(("x",)))
    for one in (upstream("none"), upstream("static"), child):
        assert isinstance(credentials.bearer(one, ALICE), NoBearer)
    assert await said(credentials, upstream("client_credentials"), "")


async def test_a_token_is_lent_to_whoever_has_not_met_the_person(
    credentials: Credentials, source: Source, ticking: Ticking
) -> None:
    lent = await credentials.lend(upstream(), ALICE)
    assert lent is not None
    poor = Source(ticking)
    poor.failing = OAuthFailed("it has not met her")
    other = Credentials({"exchange": poor}, lambda: ticking.now)
    other.borrow(upstream(), ALICE, lent)
    assert await said(other, upstream(), ALICE) == f"Bearer {ALICE} notes 1"
    with pytest.raises(SendFailed):
        await said(other, upstream(), BOB)
    again = await credentials.lend(upstream(), ALICE, lent.access)
    assert again is not None
    assert again.access.endswith("2")


async def test_what_every_worker_can_have_is_not_lent(credentials: Credentials) -> None:
    assert await credentials.lend(upstream("client_credentials"), ALICE) is None
    assert await credentials.lend(upstream("none"), ALICE) is None
    assert await credentials.lend(upstream(), "") is None
    assert await credentials.lend(Registered(Upstream("x"), StdioTarget(("x",))), ALICE) is None
