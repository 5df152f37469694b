"""What somebody would try against the rooms of the console: whoever may not, and whatever strangers
wrote that is shown there."""

from time import process_time
from typing import get_args

import msgspec
import pytest

from lockgate.control_plane.console.api import API
from lockgate.control_plane.console.live import ENDED
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.duties import PAGES
from lockgate.control_plane.services.privileges import HOUR_MS, MOST_PER_HOUR
from lockgate.control_plane.services.upstream_rows import ToolRow
from lockgate.model.privilege import ADMIN_ROLES, AdminRole
from support.browser import Answer, Browser
from support.console_desk import HOME, ROLES, ConsoleDesk
from support.console_rooms import MAIL, put_call, put_key
from support.live_desk import live_desk

MARKUP = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>' onclick=x"
HIDDEN = "pay\u202egnp.exe\u200b\u0007"
GATED = [path for path, duty in PAGES.items() if duty.roles]
FORMS = {"/console/keys/revoke": {"id": "abcdefghijkl"}}
ORDERS = ("/console/api/v1/keys/{id}/revoke",)
"""What changes something by the API."""
AT = {"{call}": "c1", "{name}": "mail", "{id}": "abcdefghijkl"}


@pytest.fixture
def desk() -> ConsoleDesk:
    desk = ConsoleDesk()
    put_call(desk, "c1")
    put_key(desk)
    desk.upstreams = (MAIL,)
    return desk


def place(path: str) -> str:
    for name, value in AT.items():
        path = path.replace(name, value)
    return path


async def status(desk: ConsoleDesk, path: str, *roles: AdminRole) -> int:
    browser = await desk.holding(*roles)
    await browser.get(HOME)
    if path in ORDERS:
        return (await ordered(desk, browser, path)).status
    if path not in FORMS:
        return (await browser.get(place(path))).status
    known = desk.sessions.recognise(browser.jar["__Host-lockgate"])
    assert known is not None
    token = desk.sessions.form_token(known.hash, path)
    return (await browser.post(path, {"token": token, **FORMS[path]})).status


async def ordered(desk: ConsoleDesk, browser: Browser, path: str, **headers: str) -> Answer:
    known = desk.sessions.recognise(browser.jar.get("__Host-lockgate", ""))
    sent = {"x-lockgate-token": desk.sessions.form_token(known.hash, API) if known else "",
            "content-type": "application/json", **headers}  # fmt: skip
    return await browser.post(place(path), {}, **sent)


@pytest.mark.parametrize("path", GATED)
async def test_a_page_without_its_role(desk: ConsoleDesk, path: str) -> None:
    assert await status(desk, path) == 403
    others = [role for role in get_args(AdminRole) if role not in PAGES[path].roles]
    assert await status(desk, path, *others) == 403
    assert not desk.keys.list()[0].revoked


@pytest.mark.parametrize(("path", "role"), [(p, r) for p in GATED for r in PAGES[p].roles])
async def test_any_of_its_roles_is_enough(desk: ConsoleDesk, path: str, role: AdminRole) -> None:
    assert await status(desk, path, role) in (200, 303)


@pytest.mark.parametrize("path", GATED)
async def test_a_page_without_a_session_or_with_an_invented_one(
    desk: ConsoleDesk, path: str
) -> None:
    browser = desk.browser()
    for jar in ({}, {"__Host-lockgate": "a" * 64}):
        browser.jar = dict(jar)
        if path in FORMS:
            assert (await browser.post(path, FORMS[path])).status == 401
        elif path in ORDERS:
            assert (await ordered(desk, browser, path)).status == 401
        elif path.startswith(API):
            assert (await browser.get(place(path))).status == 401
        else:
            found = await browser.get(place(path))
            assert found.status == 303
            assert found.header("location").startswith("https://login.example/")


async def test_an_expired_role(desk: ConsoleDesk) -> None:
    reader = await desk.holding("reader")
    assert (await reader.get("/console/calls")).status == 200
    for minutes in range(10, 60, 10):
        desk.later = minutes * 60_000
        assert (await reader.get("/console/calls")).status == 200
    desk.later = 3_600_001
    assert (await reader.get("/console/calls")).status == 403


async def test_a_key_is_not_revoked_from_elsewhere(desk: ConsoleDesk) -> None:
    """CSRF: without a token, with one of another form or session, from another origin, by GET."""
    operator, other = await desk.holding("operator"), await desk.holding("operator", who="bob")
    page, theirs = await operator.get("/console/keys"), await other.get("/console/keys")
    hidden = theirs.text.partition('action="/console/keys/revoke"')[2].partition('value="')[2]
    for token in ("", "x", hidden.partition('"')[0]):
        found = await operator.post("/console/keys/revoke", {"id": "abcdefghijkl", "token": token})
        assert found.status == 403
    own = page.text.partition('action="/console/keys/revoke"')[2].partition('value="')[2]
    fields = {"id": "abcdefghijkl", "token": own.partition('"')[0]}
    evil = await operator.post("/console/keys/revoke", fields, origin="https://evil.example")
    assert evil.status == 403
    query = "&".join(f"{k}={v}" for k, v in fields.items())
    assert (await operator.get(f"/console/keys/revoke?{query}")).status == 405
    assert not desk.keys.list()[0].revoked


async def test_the_api_is_not_used_from_elsewhere(desk: ConsoleDesk) -> None:
    """CSRF: without the header, with the token of a form or of another session, as a form of
    another site would come, and from another origin."""
    operator, other = await desk.holding("operator"), await desk.holding("operator", who="bob")
    page = await operator.get("/console/keys")
    form = page.text.partition('action="/console/keys/revoke"')[2].partition('value="')[2]
    theirs = (await other.get(f"{API}/session")).text.partition('"token":"')[2].partition('"')[0]
    (path,) = ORDERS
    for token in ("", "x", form.partition('"')[0], theirs):
        found = await ordered(desk, operator, path, **{"x-lockgate-token": token})
        assert found.status == 403
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        assert (await ordered(desk, operator, path, **{"content-type": kind})).status == 400
    evil = await ordered(desk, operator, path, origin="https://evil.example")
    assert evil.status == 403
    assert (await operator.get(place(path))).status == 405
    assert not desk.keys.list()[0].revoked
    assert (await ordered(desk, operator, path)).status == 200
    assert desk.keys.list()[0].revoked


async def test_no_page_of_others_may_read_the_api(desk: ConsoleDesk) -> None:
    reader = await desk.holding("reader")
    found = await reader.get(f"{API}/session")
    assert found.all("access-control-allow-origin") == []
    assert found.header("cache-control") == "no-store"
    assert found.header("content-type") == "application/json"
    evil = await reader.get(f"{API}/session", origin="https://evil.example")
    assert (evil.status, "token" in evil.text) == (403, False)


@pytest.mark.parametrize("path", [*GATED, "/console/live", "/console/", f"{API}/session"])
async def test_under_another_name_or_from_another_origin(desk: ConsoleDesk, path: str) -> None:
    """DNS rebinding, and pages of others that carry the cookie along."""
    browser = await desk.holding(*ADMIN_ROLES)
    evil = await browser.get(place(path), origin="https://evil.example")
    assert (evil.status, "wire.bad-origin" in evil.text) == (403, True)
    browser.origin = "https://evil.example"
    rebound = await browser.get(place(path))
    assert (rebound.status, "wire.bad-host" in rebound.text) == (421, True)


async def test_a_stream_of_whoever_was_signed_out_by_the_provider() -> None:
    """A thief listens on with a stolen session: it ends with the next change or sign of life."""
    async with live_desk() as desk:
        alice = await desk.signed_in()
        stream = desk.open(alice)
        await stream.until(lambda v: b"retry:" in v.body)
        token = desk.issuer.logout_token()
        told = await desk.browser().post("/console/backchannel-logout", {"logout_token": token})
        assert told.status == 200
        desk.role()
        await stream.until(lambda v: v.over)
        assert stream.body.endswith(ENDED)
        assert b"changed" not in stream.body
        again = desk.open(alice)
        await again.until(lambda v: v.over)
        assert again.body == ENDED


def inert(text: str) -> bool:
    """None of it is markup, and nothing in it hides or steers."""
    body = text.partition("<main")[2]
    return not any(part in body for part in ("<script", "<img", "\u202e", "\u200b", "\x07"))


@pytest.mark.parametrize("written", [MARKUP, HIDDEN])
async def test_what_strangers_wrote_is_only_text(desk: ConsoleDesk, written: str) -> None:
    tool = ToolRow(written, written, "a" * 64, "")
    desk.upstreams = (msgspec.structs.replace(MAIL, tools=(tool,)),)
    put_call(desk, "c2", "deny", "policy.denied", who=written, agent=written, target=written,
             args={written: [written]}, because=[written])  # fmt: skip
    put_key(desk, "another", owner=written, subject=written, agent=written,
            roles=frozenset({written}))  # fmt: skip
    desk.hold("bob", "reader", "responder", "privacy_officer")
    browser = await desk.signed_in("bob")
    for path in ("/console/", "/console/calls", "/console/calls/c2", "/console/upstreams/mail",
                 "/console/keys"):  # fmt: skip
        page = await browser.get(path)
        assert page.status == 200
        assert inert(page.text), path
        if path not in ("/console/",):
            assert ("&lt;script&gt;" in page.text) == (written == MARKUP)
            assert ("\\u{202e}" in page.text) == (written == HIDDEN)


async def test_what_a_visitor_types_into_the_address_is_only_text(desk: ConsoleDesk) -> None:
    reader = await desk.holding("reader")
    page = await reader.get("/console/calls?principal=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert (page.status, inert(page.text)) == (200, True)
    for path in ("calls", "upstreams"):
        found = await reader.get(f"/console/{path}/%3Cscript%3E")
        assert (found.status, inert(found.text)) == (404, True)


def test_each_role_opens_a_room_or_says_why_not() -> None:
    opened = {role for path in GATED for role in PAGES[path].roles}
    assert set(ADMIN_ROLES) - opened == {"approver"}, "whose rooms come with the approvals"


async def test_a_call_so_long_that_its_page_would_hold_up_the_gateway(desk: ConsoleDesk) -> None:
    """What was permitted is on record whole, and pages render where everybody's requests run."""
    put_call(desk, "c-1", args={"text": "\u202e" * 1_000_000})
    officer = await desk.holding("privacy_officer")
    began = process_time()
    page = await officer.get("/console/calls/c-1")
    assert process_time() - began < 1
    assert (page.status, len(page.body) < 200_000) == (200, True)
    assert "characters)" in page.text


async def test_requests_that_are_taken_back_and_made_again_without_end(desk: ConsoleDesk) -> None:
    """Anybody in the company can sign in, and each request is told to those who give roles."""
    bob = await desk.signed_in("bob")
    wish = {"role": "reader", "reason": "x", "minutes": "5"}
    for _ in range(MOST_PER_HOUR):
        await bob.submit(await bob.get(ROLES), "/console/request", **wish)
        asked = next(a.inquiry.id for a in desk.inquiries.listed() if a.inquiry.state == "pending")
        await bob.submit(await bob.get(ROLES), "/console/deny", id=asked)
    refused = await bob.submit(await bob.get(ROLES), "/console/request", **wish)
    assert (refused.status, len(desk.inquiries.listed())) == (403, MOST_PER_HOUR)
    desk.later += HOUR_MS
    later = desk.backing.privileges_of(Actor("oidc:bob", "console"))
    assert later.request("reader", "x", 300_000).state == "pending"
