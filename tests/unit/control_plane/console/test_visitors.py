from starlette.requests import Request

from lockgate.control_plane.console.pages import SESSION
from lockgate.control_plane.console.sessions import IDLE_MS
from lockgate.control_plane.console.visitors import Visitors
from support.browser import Browser
from support.console_desk import HOME, ROLES, ConsoleDesk


async def who(desk: ConsoleDesk, browser: Browser) -> str:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.jar.items())
    scope = {"type": "http", "headers": [(b"cookie", cookie.encode())]}
    return await Visitors(desk.backing).who(Request(scope))


async def test_a_visitor_is_whom_policy_calls_by_the_same_name(desk: ConsoleDesk) -> None:
    assert await who(desk, desk.browser()) == ""
    assert await who(desk, await desk.signed_in("alice")) == "person:alice"


async def test_it_is_the_same_person_under_a_new_id(desk: ConsoleDesk) -> None:
    """A new role, a new cookie."""
    alice, carol = await desk.signed_in("alice"), await desk.signed_in("carol")
    form = {"role": "operator", "reason": "a key", "minutes": "60"}
    await alice.submit(await alice.get(ROLES), "/console/request", **form)
    (asked,) = desk.privileges.list()
    await carol.submit(await carol.get(ROLES), "/console/grant", id=asked.id)
    former = alice.jar[SESSION]
    await alice.get(HOME)
    assert alice.jar[SESSION] != former
    assert await who(desk, alice) == "person:alice"


async def test_nobody_is_signed_in_once_the_session_is_over(desk: ConsoleDesk) -> None:
    alice, bob = await desk.signed_in("alice"), await desk.signed_in("bob")
    kept = dict(bob.jar)
    await bob.submit(await bob.get(ROLES), "/console/sign-out")
    bob.jar = kept
    assert await who(desk, bob) == ""
    desk.later += IDLE_MS
    assert await who(desk, alice) == ""


async def test_the_recovery_admin_is_no_person(desk: ConsoleDesk) -> None:
    browser, code = desk.browser(), await desk.code()
    await browser.submit(await browser.get("/console/recover"), "/console/recover", code=code)
    assert await desk.is_in(browser)
    assert await who(desk, browser) == ""


async def test_a_cookie_of_ours_for_something_else_names_nobody(desk: ConsoleDesk) -> None:
    browser = desk.browser()
    await browser.get("/console/sign-in")
    for planted in (*browser.jar.values(), "guess"):
        browser.jar = {SESSION: planted}
        assert await who(desk, browser) == ""


async def test_after_signing_in_the_browser_goes_where_we_sent_it_for(desk: ConsoleDesk) -> None:
    sent = await Visitors(desk.backing).sign_in("/connect?ticket=t")
    browser = desk.browser()
    name, _, value = sent.headers["set-cookie"].partition(";")[0].partition("=")
    browser.jar[name] = value
    back = await desk.back(browser, desk.issuer.authorize(sent.headers["location"]))
    assert (back.status, back.header("location")) == (303, "/connect?ticket=t")
