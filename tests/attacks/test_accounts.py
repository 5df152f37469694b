"""What is tried to get at somebody's account, or to have them get at one's own.

A real gateway, a real OIDC provider as the upstream's authorization server, and browsers of several
people."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest

from lockgate.app.connect_pages import COOKIE
from lockgate.control_plane.console.pages import SESSION
from support.client import McpClient, Said, http_client
from support.connect_browser import ConnectBrowser, fields_of
from support.form_browser import Page
from support.guarded_house import SIGN_IN, House, house, link_in

pytestmark = [pytest.mark.e2e, pytest.mark.node]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("attacked"), {"mode": "account"}) as made:
        yield made
        log = made.gate.log
        for secret in ("secret-of-lockgate", "Bearer ey", "code="):
            assert secret not in log


async def call(at: House, who: str) -> Said:
    async with http_client() as http:
        client = McpClient(http, f"{at.gate.url}/guarded", at.gate.key(who))
        return await client.call("whoami")


async def link_for(at: House, who: str) -> str:
    return link_in(str((await call(at, who)).result["content"][0]["text"]))


def back_of(at: House, browser: ConnectBrowser, link: str, user: str) -> str:
    """Where the authorization server would send the browser; it has not gone there yet."""
    stop = f"{at.gate.base}/connect/callback"
    return browser.follow(browser.get(link), {"login": user, "password": "password"}, stop).url


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    query = {k: v[0] for k, v in parse_qs(parts.query).items()} | parameters
    kept = {k: v for k, v in query.items() if v is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


def text_of(said: Said) -> str:
    return str(said.result["content"][0]["text"])


async def test_someone_else_s_account_is_nobody_else_s(accounts: House) -> None:
    """Bob comes after Alice, over the same gateway, to the same upstream."""
    ConnectBrowser().connect(await link_for(accounts, "alice"), "alice")
    assert text_of(await call(accounts, "alice")) == "alice via lockgate"
    assert "upstream.connect" in text_of(await call(accounts, "bob"))
    accounts.gate.cli("accounts", "disconnect", "person:alice")
    assert "upstream.connect" in text_of(await call(accounts, "alice"))


async def test_a_link_names_whom_it_is_for_and_cannot_be_altered(accounts: House) -> None:
    link = await link_for(accounts, "bob")
    assert "person:bob" in ConnectBrowser().get(link).text
    ticket = parse_qs(urlsplit(link).query)["ticket"][0]
    for forged in (ticket[:-2] + "AA", ticket[:20], "", ticket.swapcase()):
        page = ConnectBrowser().get(changed(link, ticket=forged))
        assert (page.status, "connect.link" in page.text) == (400, True)


async def test_a_link_that_was_used_is_worth_nothing(accounts: House) -> None:
    link = await link_for(accounts, "bob")
    back_of(accounts, ConnectBrowser(), link, "bob")
    thief = ConnectBrowser()
    page = thief.connect(link, "alice")
    assert (page.status, "connect.used" in page.text) == (400, True)


async def test_a_stolen_state_does_not_work_in_another_browser(accounts: House) -> None:
    """Session fixation: the victim is sent the attacker's way back, to end with their account."""
    link = await link_for(accounts, "bob")
    mine = ConnectBrowser()
    back = back_of(accounts, mine, link, "alice")
    for jar in ({}, {COOKIE: "guessed"}):
        victim = ConnectBrowser()
        victim.cookies[accounts.gate.base] = dict(jar)
        page = victim.get(back)
        assert (page.status, "connect.other-browser" in page.text) == (403, True)
    assert "upstream.connect" in text_of(await call(accounts, "bob"))


async def test_a_cookie_that_was_planted_does_not_carry_over(accounts: House) -> None:
    """Whoever knows what the browser had before the consent knows nothing after it."""
    browser, planted = ConnectBrowser(), "planted-by-somebody"
    browser.cookies[accounts.gate.base] = {COOKIE: planted}
    back = back_of(accounts, browser, await link_for(accounts, "bob"), "bob")
    assert browser.cookies[accounts.gate.base][COOKIE] != planted
    other = ConnectBrowser()
    other.cookies[accounts.gate.base] = {COOKIE: planted}
    assert "connect.other-browser" in other.get(back).text


async def test_a_replayed_state_is_refused(accounts: House) -> None:
    browser = ConnectBrowser()
    back = back_of(accounts, browser, await link_for(accounts, "bob"), "bob")
    assert browser.get(back).status == 200
    page = browser.get(back)
    assert (page.status, "connect.used" in page.text) == (400, True)
    accounts.gate.cli("accounts", "disconnect", "person:bob")


async def test_consent_cannot_be_given_from_another_page_or_without_being_seen(
    accounts: House,
) -> None:
    """Cross-site request forgery, and a form taken from another browser."""
    link, browser = await link_for(accounts, "bob"), ConnectBrowser()
    form, at = fields_of(browser.get(link)), f"{accounts.gate.base}/connect"
    forged = browser.post(at, form, origin="https://evil.example")
    other = ConnectBrowser()
    other.get(link)
    taken = other.post(at, form)
    unseen = browser.post(at, {"ticket": form["ticket"]})
    for page in (forged, taken, unseen):
        assert (page.status, "connect.other-browser" in page.text) == (403, True)
    assert browser.post(at, form).status == 303


async def test_a_proof_is_good_for_the_link_that_was_shown_only(accounts: House) -> None:
    browser = ConnectBrowser()
    seen = fields_of(browser.get(await link_for(accounts, "alice")))
    other = fields_of(browser.get(await link_for(accounts, "bob")))
    mixed = {"ticket": other["ticket"], "proof": seen["proof"]}
    page = browser.post(f"{accounts.gate.base}/connect", mixed)
    assert "connect.other-browser" in page.text


@pytest.mark.parametrize("where", ["https://evil.example/callback", "{base}/connect/callback/x"])
async def test_a_changed_redirect_uri_leads_nowhere(accounts: House, where: str) -> None:
    """Whoever changes the request to the authorization server gets no code."""
    browser = ConnectBrowser()
    stop = f"{accounts.provider.issuer}/auth"
    asked = browser.follow(browser.get(await link_for(accounts, "bob")), {}, stop).url
    evil = where.format(base=accounts.gate.base)
    page = browser.follow(browser.get(changed(asked, redirect_uri=evil)), {"login": "bob"}, evil)
    assert page.status == 400
    assert "code=" not in page.url


@pytest.mark.parametrize("iss", ["https://evil.example", "{issuer}/", None])
async def test_mix_up_an_answer_of_another_server_is_not_taken(
    accounts: House, iss: str | None
) -> None:
    """Mix-up (RFC 9207): no code goes to the wrong token endpoint."""
    browser = ConnectBrowser()
    back = back_of(accounts, browser, await link_for(accounts, "bob"), "bob")
    before = len(accounts.provider.log("token"))
    said = iss and iss.format(issuer=accounts.provider.issuer)
    page = browser.get(changed(back, iss=said, error_description="words"))
    assert (page.status, "connect.mix-up" in page.text) == (400, True)
    assert "words" not in page.text
    assert len(accounts.provider.log("token")) == before


async def test_a_code_of_another_person_s_visit_is_not_redeemed(accounts: House) -> None:
    """Code injection: PKCE ties the code to the visit that it was given in."""
    mine, theirs = ConnectBrowser(), ConnectBrowser()
    back = back_of(accounts, mine, await link_for(accounts, "bob"), "bob")
    stolen = back_of(accounts, theirs, await link_for(accounts, "alice"), "alice")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    page = mine.get(changed(back, code=code))
    assert (page.status, "connect.failed" in page.text) == (502, True)
    assert "upstream.connect" in text_of(await call(accounts, "bob"))


async def test_a_parameter_that_comes_twice_is_refused(accounts: House) -> None:
    browser = ConnectBrowser()
    back = back_of(accounts, browser, await link_for(accounts, "bob"), "bob")
    page = browser.get(f"{back}&code=other")
    assert (page.status, "connect.link" in page.text) == (400, True)


async def test_no_account_is_reached_with_the_client_s_own_token(accounts: House) -> None:
    """Token passthrough: what the client shows us never goes upstream, whatever it is."""
    token = accounts.provider.token("alice", resource=accounts.upstream).access_token
    async with http_client() as http:
        client = McpClient(http, f"{accounts.gate.url}/guarded", token)
        said = await client.call("whoami")
    assert said.status == 401
    async with http_client() as http:
        client = McpClient(http, f"{accounts.gate.url}/guarded", accounts.gate.key("bob"))
        params = {"name": "whoami", "arguments": {}}
        said = await client.modern(
            "tools/call", params, headers={"x-authorization": f"Bearer {token}"}
        )
    assert "upstream.connect" in text_of(said)


# Where people can sign in to the gateway.


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("people"), {"mode": "account"}, console=True) as made:
        yield made


def consent_of(at: House, browser: ConnectBrowser, link: str, user: str) -> Page:
    """The page that the link leads to once ``user`` has signed in."""
    page = browser.get(link)
    while page.status in (302, 303):
        stop = f"{at.gate.base}/connect"
        page = browser.follow(page, {"login": user, "password": "password"}, stop)
        page = browser.get(page.url)
    return page


async def test_a_link_of_mallory_connects_nothing_of_alice(people: House) -> None:
    """Confused deputy: Alice follows the link, signs in as herself, and that is the end of it."""
    link, alice = await link_for(people, "bob"), ConnectBrowser()
    page = consent_of(people, alice, link, "alice")
    assert (page.status, "connect.other-person" in page.text) == (403, True)
    assert "person:alice" not in page.text
    assert "upstream.connect" in text_of(await call(people, "bob"))
    assert people.provider.log("token")[-1]["client_id"] == SIGN_IN, "no code of the upstream"


async def test_a_person_who_signed_in_connects_their_own_account(people: House) -> None:
    page = ConnectBrowser().connect(await link_for(people, "alice"), "alice")
    assert (page.status, "Connected" in page.text) == (200, True), page.text
    assert text_of(await call(people, "alice")) == "alice via lockgate"
    people.gate.cli("accounts", "disconnect", "person:alice")


async def test_a_consent_is_worth_nothing_to_whoever_signs_in_afterwards(people: House) -> None:
    """A shared browser: Bob consented, then Alice signs in, and the way back comes."""
    browser = ConnectBrowser()
    shown = consent_of(people, browser, await link_for(people, "bob"), "bob")
    sent = browser.post(f"{people.gate.base}/connect", fields_of(shown))
    back = browser.follow(sent, {}, f"{people.gate.base}/connect/callback").url
    del browser.cookies[people.provider.issuer]
    signed = browser.follow(
        browser.get(f"{people.gate.base}/console/sign-in"),
        {"login": "alice", "password": "password"},
        f"{people.gate.base}/console/callback",
    )
    browser.get(signed.url)
    page = browser.get(back)
    assert (page.status, "connect.other-person" in page.text) == (403, True)
    assert "upstream.connect" in text_of(await call(people, "bob"))


async def test_a_session_that_is_over_connects_nothing(people: House) -> None:
    browser = ConnectBrowser()
    shown = consent_of(people, browser, await link_for(people, "bob"), "bob")
    sent = browser.post(f"{people.gate.base}/connect", fields_of(shown))
    back = browser.follow(sent, {}, f"{people.gate.base}/connect/callback").url
    del browser.cookies[people.gate.base][SESSION]
    page = browser.get(back)
    assert (page.status, "connect.signed-out" in page.text) == (403, True)


async def test_the_sign_in_leads_to_links_of_ours_only(people: House) -> None:
    """Open redirect: what is no link of ours is refused before anybody signs in."""
    for ticket in ("https://evil.example/", "//evil.example", "x"):
        page = ConnectBrowser().get(f"{people.gate.base}/connect?{urlencode({'ticket': ticket})}")
        assert (page.status, "connect.link" in page.text) == (400, True)
