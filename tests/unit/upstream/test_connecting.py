"""From a link to a connected account. For attacks see ``tests/attacks/test_accounts.py``."""

from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.store.sealing import AesGcmSealer
from lockgate.upstream.accounts import ConnectedAccounts
from lockgate.upstream.connecting import LINK_SECONDS, Connecting, ConnectRefused, check_visitor
from lockgate.upstream.oauth_clients import OAuthClients
from lockgate.upstream.target import Registered
from support.oauth_upstream import ALICE, Ticking, registered, servers
from support.paper_server import Paper, PaperServer

BASE = "https://gate.example"


class Desk:
    """Everything that it takes to connect, in one process."""

    def __init__(self, paper: PaperServer) -> None:
        self.paper, self.ticking = paper, Ticking()
        self.upstreams: dict[str, Registered] = {
            "notes": registered(paper, "account", scopes=("a",))
        }
        self.base = BASE
        self.store = MemoryAccounts(self.ticking.ms)
        known = servers(paper, self.ticking)
        base: Callable[[], str] = lambda: self.base  # noqa: E731
        self.connecting = Connecting(
            self.upstreams.get, known,
            OAuthClients(paper.fetcher(), base, redirect="/connect/callback", document="/me"),
            self.store, AesGcmSealer(b"k" * 32), self.ticking.clock, base,
        )  # fmt: skip
        self.source = ConnectedAccounts(
            self.store, known, self.connecting.invite, lambda: self.ticking.now
        )

    def ticket(self, holder: str = ALICE, upstream: str = "notes", *more: str) -> str:
        link = self.connecting.link(holder, upstream, more)
        return parse_qs(urlsplit(link).query)["ticket"][0]

    async def begun(self, browser: str = "browser") -> dict[str, str]:
        """What the authorization server is asked."""
        offer = await self.connecting.offer(self.ticket())
        url = await self.connecting.begin(offer, browser)
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    async def refused(self, said: dict[str, str], browser: str = "browser") -> str:
        with pytest.raises(ConnectRefused) as refused:
            await self.connecting.finish(said, browser, None)
        return refused.value.reason


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with PaperServer() as paper:
        paper.issue()
        yield Desk(paper)


async def test_an_account_is_connected(desk: Desk) -> None:
    asked = await desk.begun()
    assert asked["redirect_uri"] == f"{BASE}/connect/callback"
    assert (asked["code_challenge_method"], asked["scope"]) == ("S256", "a")
    assert asked["resource"] == f"{desk.paper.url}/mcp"
    said = {"state": asked["state"], "code": "the-code", "iss": desk.paper.url}
    account = await desk.connecting.finish(said, "browser", None)
    assert (account.principal, account.upstream) == (ALICE, "notes")
    form = desk.paper.asked_for("/token")[0].form
    assert (form["code"], form["resource"]) == ("the-code", asked["resource"])
    assert form["redirect_uri"] == asked["redirect_uri"]
    token = await desk.source.token(desk.upstreams["notes"], ALICE, "")
    assert token.access == "access-1"


async def test_a_configured_secret_is_kept_nowhere_else(desk: Desk) -> None:
    asked = await desk.begun()
    said = {"state": asked["state"], "code": "c", "iss": desk.paper.url}
    await desk.connecting.finish(said, "browser", None)
    account = await desk.store.get(ALICE, "notes")
    assert account is not None
    assert b"s3cret" not in account.secret


async def test_scopes_of_the_link_are_asked_for_besides(desk: Desk) -> None:
    offer = await desk.connecting.offer(desk.ticket(ALICE, "notes", "b", "a"))
    assert offer.scopes == ("a", "b")


async def test_a_link_is_told_in_words(desk: Desk) -> None:
    assert desk.connecting.invite(ALICE, "notes").startswith(f"Open <{BASE}/connect?ticket=")


async def test_a_link_ends_after_minutes(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.ticking.now += LINK_SECONDS
    with pytest.raises(ConnectRefused, match=r"connect\.link"):
        await desk.connecting.offer(ticket)


async def test_so_does_the_visit_to_the_authorization_server(desk: Desk) -> None:
    asked = await desk.begun()
    desk.ticking.now += LINK_SECONDS
    said = {"state": asked["state"], "code": "c", "iss": desk.paper.url}
    assert await desk.refused(said) == "connect.link"


@pytest.mark.parametrize("name", ["gone", "other"])
async def test_a_link_to_what_takes_no_accounts_is_refused(desk: Desk, name: str) -> None:
    desk.upstreams["other"] = registered(desk.paper, "client_credentials", "other")
    with pytest.raises(ConnectRefused, match=r"connect\.link"):
        await desk.connecting.offer(desk.ticket(ALICE, name))


async def test_what_changed_meanwhile_is_not_connected(desk: Desk) -> None:
    for change in ("base", "place"):
        asked = await desk.begun()
        if change == "base":
            desk.base = "https://other.example"
        else:
            desk.base = BASE
            async with PaperServer() as elsewhere:
                desk.upstreams["notes"] = registered(elsewhere, "account", issuer=desk.paper.url)
        said = {"state": asked["state"], "code": "c", "iss": desk.paper.url}
        assert await desk.refused(said) == "connect.link"


async def test_a_person_may_decline_and_the_server_s_words_are_not_repeated(desk: Desk) -> None:
    asked = await desk.begun()
    said = {"state": asked["state"], "error": "access_denied", "error_description": "words",
            "iss": desk.paper.url}  # fmt: skip
    with pytest.raises(ConnectRefused) as refused:
        await desk.connecting.finish(said, "browser", None)
    assert refused.value.reason == "connect.declined"
    assert "words" not in str(refused.value)


async def test_a_server_without_pkce_is_not_gone_to(desk: Desk) -> None:
    desk.paper.issue(code_challenge_methods_supported=["plain"])
    offer = await desk.connecting.offer(desk.ticket())
    with pytest.raises(ConnectRefused, match="PKCE"):
        await desk.connecting.begin(offer, "browser")


async def test_offline_access_asks_for_consent_there_too(desk: Desk) -> None:
    desk.upstreams["notes"] = registered(desk.paper, "account", scopes=("offline_access",))
    assert (await desk.begun())["prompt"] == "consent"


async def test_a_server_that_is_down_is_told_as_such(desk: Desk) -> None:
    asked = await desk.begun()
    desk.paper.pages["/token"] = Paper(status=503)
    said = {"state": asked["state"], "code": "c", "iss": desk.paper.url}
    assert await desk.refused(said) == "connect.failed"
    desk.paper.pages.clear()
    desk.ticking.now += 4_000
    with pytest.raises(ConnectRefused, match=r"connect\.failed"):
        await desk.connecting.offer(desk.ticket())


async def test_iss_may_be_missing_only_where_it_was_never_promised(desk: Desk) -> None:
    desk.paper.issue(authorization_response_iss_parameter_supported=False)
    asked = await desk.begun()
    account = await desk.connecting.finish({"state": asked["state"], "code": "c"}, "browser", None)
    assert msgspec.structs.replace(account, secret=b"").upstream == "notes"


@pytest.mark.parametrize(
    ("visitor", "reason"), [("", "connect.signed-out"), ("person:mallory", "connect.other-person")]
)
async def test_whoever_is_not_the_person_of_the_link_comes_back_for_nothing(
    desk: Desk, visitor: str, reason: str
) -> None:
    asked = await desk.begun()
    said = {"state": asked["state"], "code": "c", "iss": desk.paper.url}
    with pytest.raises(ConnectRefused, match=reason):
        await desk.connecting.finish(said, "browser", visitor)
    assert not desk.paper.asked_for("/token")
    account = await desk.connecting.finish(said, "browser", ALICE)
    assert account.principal == ALICE


async def test_where_nobody_can_sign_in_the_link_says_who_it_is(desk: Desk) -> None:
    offer = await desk.connecting.offer(desk.ticket())
    check_visitor(offer.ticket, None)
    check_visitor(offer.ticket, ALICE)
