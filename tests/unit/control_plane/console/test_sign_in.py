import json

from lockgate.control_plane.console.pages import SESSION, VISIT, VISIT_SECONDS
from lockgate.control_plane.console.sessions import ABSOLUTE_MS, IDLE_MS, MINUTE_MS, RECOVERY_MS
from lockgate.store.recovery import TRIES
from support.console_desk import ROLES, ConsoleDesk


async def test_signing_in_and_out(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in("alice")
    page = await alice.get(ROLES)
    assert "<strong>Alice</strong>" in page.text
    assert VISIT not in alice.jar
    out = await alice.submit(page, "/console/sign-out")
    assert (out.status, SESSION in alice.jar) == (200, False)
    assert not await desk.is_in(alice)
    assert [(e.kind, e.header["action"]) for e in desk.journal] == [
        ("session.opened", "console.sign-in"), ("session.closed", "console.sign-out"),
    ]  # fmt: skip
    assert json.loads(desk.journal[0].slots["actor"])["identity"] == "oidc:alice"


async def test_a_session_ends_when_idle(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    for _ in range(3):
        desk.later += IDLE_MS - MINUTE_MS
        assert await desk.is_in(alice)
    desk.later += IDLE_MS
    assert not await desk.is_in(alice)


async def test_a_session_ends_after_eight_hours_whatever_happens(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    for _ in range(ABSOLUTE_MS // (10 * MINUTE_MS) - 1):
        desk.later += 10 * MINUTE_MS
        assert await desk.is_in(alice)
    desk.later += 10 * MINUTE_MS
    assert not await desk.is_in(alice)


async def test_a_sign_in_must_be_finished_soon(desk: ConsoleDesk) -> None:
    browser = desk.browser()
    begun = await browser.get("/console/sign-in")
    answer = desk.issuer.authorize(begun.header("location"))
    desk.later += VISIT_SECONDS * 1000
    assert (await desk.back(browser, answer)).status == 400
    assert desk.refused == [("console.sign-in", "192.0.2.1")]


async def test_a_refusal_of_the_provider_and_one_that_is_down_sign_nobody_in(
    desk: ConsoleDesk,
) -> None:
    browser = desk.browser()
    desk.issuer.answer = {"code": None, "error": "access_denied"}
    assert (await desk.sign_in(browser)).status == 400
    begun = await browser.get("/console/sign-in")
    desk.issuer.answer = {}
    answer = desk.issuer.authorize(begun.header("location"))
    desk.issuer.down = True
    found = await desk.back(browser, answer)
    assert found.status == 400
    assert "login.example" not in found.text, "why is for the log"
    assert not await desk.is_in(browser)


async def test_a_recovery_code_lets_one_browser_in_for_a_short_time(desk: ConsoleDesk) -> None:
    bob, browser, code = await desk.signed_in("bob"), desk.browser(), await desk.code()
    form = {"role": "operator", "reason": "the first", "minutes": "60"}
    await bob.submit(await bob.get(ROLES), "/console/request", **form)
    page = await browser.get("/console/recover")
    assert (await browser.submit(page, "/console/recover", code=code)).status == 303
    home = await browser.get(ROLES)
    assert "recovery admin" in home.text
    assert "/console/request" not in home.text
    (one,) = desk.privileges.list()
    assert (await browser.submit(home, "/console/grant", id=one.id)).status == 303
    assert desk.privileges.list()[0].granted_by == ("recovery",)
    desk.later += RECOVERY_MS
    assert not await desk.is_in(browser)
    reasons = [e.reason for e in desk.journal]
    assert reasons.count("admin.recovery") == 2, "made and used"


async def test_a_recovery_code_is_good_for_one_browser(desk: ConsoleDesk) -> None:
    one, other, code = desk.browser(), desk.browser(), await desk.code()
    await one.submit(await one.get("/console/recover"), "/console/recover", code=code)
    page = await other.get("/console/recover")
    found = await other.submit(page, "/console/recover", code=code)
    assert (found.status, "not good" in found.text) == (403, True)
    assert not await desk.is_in(other)


async def test_guessing_is_throttled_whoever_guesses(desk: ConsoleDesk) -> None:
    code = await desk.code()
    for number in range(TRIES + 1):
        browser = desk.browser()
        page = await browser.get("/console/recover")
        found = await browser.submit(
            page, "/console/recover", code=code if number == TRIES else "x"
        )
        assert found.status == 403
    assert "Too many" in found.text


async def test_a_logout_told_by_the_provider_ends_all_of_a_person(desk: ConsoleDesk) -> None:
    here, there, bob = [await desk.signed_in(who) for who in ("alice", "alice", "bob")]
    token = desk.issuer.logout_token()
    provider = desk.browser()
    told = await provider.post("/console/backchannel-logout", {"logout_token": token})
    assert (told.status, told.header("cache-control")) == (200, "no-store")
    assert [await desk.is_in(b) for b in (here, there, bob)] == [False, False, True]
    closed = desk.journal[-1]
    assert (closed.kind, closed.header["sessions"]) == ("session.closed", 2)


async def test_a_logout_of_one_session_at_the_provider_ends_that_one(desk: ConsoleDesk) -> None:
    desk.issuer.claims = {"sid": "s1"}
    one = await desk.signed_in()
    desk.issuer.claims = {"sid": "s2"}
    other = await desk.signed_in()
    desk.issuer.claims = {}
    token = desk.issuer.logout_token(sub=None, sid="s1")
    await one.post("/console/backchannel-logout", {"logout_token": token})
    assert [await desk.is_in(b) for b in (one, other)] == [False, True]
