"""What somebody would try against the sign-in of administrators, and against their sessions."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lockgate.control_plane.console.pages import SESSION, VISIT
from support.browser import Browser
from support.console_desk import HOME, ORIGIN, ROLES, ConsoleDesk

ASK = {"role": "operator", "reason": "mine", "minutes": "60"}
LOGOUT = "/console/backchannel-logout"


@pytest.fixture
def desk() -> ConsoleDesk:
    return ConsoleDesk()


async def refused(desk: ConsoleDesk, browser: Browser, who: str = "alice") -> bool:
    found = await desk.sign_in(browser, who)
    return found.status == 400 and SESSION not in browser.jar and not await desk.is_in(browser)


# Sessions.


async def test_session_fixation(desk: ConsoleDesk) -> None:
    """The attacker's own session is planted in the victim's browser before the sign-in."""
    mallory, victim = await desk.signed_in("mallory"), desk.browser()
    planted = mallory.jar[SESSION]
    victim.jar[SESSION] = planted
    await desk.sign_in(victim, "alice")
    assert victim.jar[SESSION] != planted
    assert not await desk.is_in(mallory), "what was planted is over"


async def test_an_invented_session_id(desk: ConsoleDesk) -> None:
    browser = desk.browser()
    for invented in ("a" * 64, "AQAAAA", "0", "__Host-lockgate"):
        browser.jar[SESSION] = invented
        assert not await desk.is_in(browser)


async def test_a_stolen_id_after_signing_out(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    stolen = alice.jar[SESSION]
    await alice.submit(await alice.get(ROLES), "/console/sign-out")
    thief = desk.browser()
    thief.jar[SESSION] = stolen
    assert not await desk.is_in(thief)


async def test_cookies_without_secure(desk: ConsoleDesk) -> None:
    browser = desk.browser()
    begun = await browser.get("/console/sign-in")
    back = await desk.back(browser, desk.issuer.authorize(begun.header("location")))
    lines = [*begun.all("set-cookie"), *back.all("set-cookie")]
    assert len(lines) == 3, "the visit's, the session's, and the end of the visit's"
    for line in lines:
        parts = {part.strip().lower() for part in line.split(";")}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
        assert line.startswith("__Host-")


# Forms.


@pytest.mark.parametrize(
    ("action", "fields"),
    [("request", ASK), ("grant", {"id": "x"}), ("deny", {"id": "x"}), ("revoke", {"id": "x"}),
     ("sign-out", {})],
)  # fmt: skip
async def test_a_form_of_another_site(
    desk: ConsoleDesk, action: str, fields: dict[str, str]
) -> None:
    """CSRF: without a token, with an invented one, and with one for another form."""
    alice = await desk.signed_in()
    known = desk.sessions.recognise(alice.jar[SESSION])
    assert known is not None
    other = desk.sessions.form_token(known.hash, "/console/other")
    rows = len(desk.journal)
    for token in ({}, {"token": ""}, {"token": "x"}, {"token": other}):
        assert (await alice.post(f"/console/{action}", {**fields, **token})).status == 403
    assert (
        await alice.post(f"/console/{action}", fields, origin="https://evil.example")
    ).status == 403
    assert desk.privileges.list() == ()
    assert len(desk.journal) == rows
    assert await desk.is_in(alice)


async def test_a_form_with_the_token_of_another_session(desk: ConsoleDesk) -> None:
    """The attacker has a session of their own, and so tokens that the server made."""
    mallory, alice = await desk.signed_in("mallory"), await desk.signed_in("alice")
    page = await mallory.get(ROLES)
    mallory.jar, theirs = dict(alice.jar), mallory.jar
    found = await mallory.submit(page, "/console/request", **ASK)
    assert found.status == 403
    assert desk.privileges.list() == ()
    again = await desk.signed_in("alice")
    mallory.jar = dict(again.jar)
    page = await alice.get(ROLES)
    assert (await again.submit(page, "/console/request", **ASK)).status == 403, "same person"
    assert theirs[SESSION] != alice.jar[SESSION]


async def test_a_recovery_form_of_another_browser(desk: ConsoleDesk) -> None:
    """The attacker signs the victim's browser in as the recovery admin of their choosing."""
    code, mallory, victim = await desk.code(), desk.browser(), desk.browser()
    page = await mallory.get("/console/recover")
    assert (await victim.submit(page, "/console/recover", code=code)).status == 403
    await victim.get("/console/recover")
    assert (await victim.submit(page, "/console/recover", code=code)).status == 403
    assert SESSION not in victim.jar


async def test_being_shown_in_a_frame(desk: ConsoleDesk) -> None:
    """Clickjacking, on the page that grants."""
    page = await (await desk.signed_in()).get(HOME)
    assert "frame-ancestors 'none'" in page.header("content-security-policy")
    assert page.header("x-frame-options") == "DENY"
    assert page.header("cache-control") == "no-store"


# Signing in.


async def test_a_replayed_answer(desk: ConsoleDesk) -> None:
    """The authorization response was seen on the way; the provider takes codes twice."""
    desk.issuer.careless = True
    browser = desk.browser()
    begun = await browser.get("/console/sign-in")
    visit = browser.jar[VISIT]
    answer = desk.issuer.authorize(begun.header("location"))
    assert (await desk.back(browser, answer)).status == 303
    thief = desk.browser()
    thief.jar[VISIT] = visit
    assert (await desk.back(thief, answer)).status == 400
    assert SESSION not in thief.jar


async def test_an_answer_brought_to_another_browser(desk: ConsoleDesk) -> None:
    """Login CSRF: the victim's browser follows a link with the attacker's code and state."""
    mallory, victim = desk.browser(), desk.browser()
    begun = await mallory.get("/console/sign-in")
    answer = desk.issuer.authorize(begun.header("location"), "mallory")
    assert (await desk.back(victim, answer)).status == 400
    await victim.get("/console/sign-in")
    assert (await desk.back(victim, answer)).status == 400
    assert SESSION not in victim.jar


async def test_an_injected_code(desk: ConsoleDesk) -> None:
    """A code stolen from another sign-in, under the thief's own state: PKCE and nonce."""
    victim, mallory = desk.browser(), desk.browser()
    theirs = await victim.get("/console/sign-in")
    stolen = desk.issuer.authorize(theirs.header("location"), "alice")["code"]
    own = await mallory.get("/console/sign-in")
    answer = desk.issuer.authorize(own.header("location"), "mallory")
    assert (await desk.back(mallory, {**answer, "code": stolen})).status == 400
    assert SESSION not in mallory.jar


@pytest.mark.parametrize("iss", ["https://evil.example", "https://login.example/", None, ""])
async def test_mix_up_with_another_issuer(desk: ConsoleDesk, iss: str | None) -> None:
    desk.issuer.answer = {"iss": iss}
    assert await refused(desk, desk.browser())
    assert "/token" not in desk.issuer.log, "the code goes nowhere"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-client"}, {"aud": ["another-client"]},
        {"aud": ["lockgate", "another-client"], "azp": "another-client"},
        {"iss": "https://evil.example"}, {"nonce": "another"}, {"nonce": None}, {"exp": 1},
        {"sub": None},
    ],
)  # fmt: skip
async def test_an_id_token_for_another_audience_issuer_or_sign_in(
    desk: ConsoleDesk, claims: dict[str, Any]
) -> None:
    desk.issuer.claims = claims
    assert await refused(desk, desk.browser())


async def test_an_access_token_instead_of_an_id_token(desk: ConsoleDesk) -> None:
    desk.issuer.header = {"typ": "at+jwt"}
    assert await refused(desk, desk.browser())


async def test_algorithm_confusion(desk: ConsoleDesk) -> None:
    """HS256, keyed with the provider's public key, which everybody knows."""
    desk.issuer.signs_with = desk.issuer.key.as_pem(private=False)
    desk.issuer.header = {"alg": "HS256"}
    assert await refused(desk, desk.browser())


async def test_a_parameter_twice(desk: ConsoleDesk) -> None:
    browser = desk.browser()
    begun = await browser.get("/console/sign-in")
    answer = desk.issuer.authorize(begun.header("location"))
    query = "&".join(f"{k}={v}" for k, v in answer.items())
    assert (await browser.get(f"/console/callback?state=x&{query}")).status == 400
    assert (await browser.get(f"/console/callback?{query}&iss=https://evil.example")).status == 400


@pytest.mark.parametrize("name", ["next", "redirect_uri", "return_to", "url", "target"])
async def test_open_redirect_after_signing_in(desk: ConsoleDesk, name: str) -> None:
    browser = desk.browser()
    evil = f"{name}=https://evil.example/"
    begun = await browser.get(f"/console/sign-in?{evil}")
    asked = parse_qs(urlsplit(begun.header("location")).query)
    assert asked["redirect_uri"] == [f"{ORIGIN}/console/callback"]
    answer = {**desk.issuer.authorize(begun.header("location")), name: "https://evil.example/"}
    assert (await desk.back(browser, answer)).header("location") == HOME


# Being signed out by the provider.


async def test_a_replayed_logout_token(desk: ConsoleDesk) -> None:
    token, mallory = desk.issuer.logout_token(), desk.browser()
    await desk.signed_in()
    assert (await mallory.post(LOGOUT, {"logout_token": token})).status == 200
    later = await desk.signed_in()
    assert (await mallory.post(LOGOUT, {"logout_token": token})).status == 400
    assert await desk.is_in(later)


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "n"}, {"events": None}, {"events": {}}, {"aud": "another-client"}, {"sub": None},
     {"iss": "https://evil.example"}, {"jti": None}, {"exp": 1}],
)  # fmt: skip
async def test_a_logout_token_that_is_none(desk: ConsoleDesk, claims: dict[str, Any]) -> None:
    """With a nonce (an ID token), without the event, for others, of others, without end."""
    alice = await desk.signed_in()
    token = desk.issuer.logout_token(**claims)
    found = await desk.browser().post(LOGOUT, {"logout_token": token})
    assert (found.status, found.header("cache-control")) == (400, "no-store")
    assert await desk.is_in(alice)


@pytest.mark.parametrize("body", [{}, {"logout_token": ""}, {"logout_token": "a.b.c"}])
async def test_no_logout_token_at_all(desk: ConsoleDesk, body: dict[str, str]) -> None:
    assert (await desk.browser().post(LOGOUT, body)).status == 400


async def test_a_flood_of_logout_tokens_with_unknown_keys(desk: ConsoleDesk) -> None:
    """Each would make us ask the provider for its keys."""
    await desk.signed_in()
    desk.issuer.header = {"kid": "unknown"}
    asked = desk.issuer.log.count("/jwks")
    for number in range(20):
        token = desk.issuer.logout_token(jti=f"j{number}")
        assert (await desk.browser().post(LOGOUT, {"logout_token": token})).status == 400
    assert desk.issuer.log.count("/jwks") == asked
