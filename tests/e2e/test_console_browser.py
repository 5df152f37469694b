"""Administrators in a real browser (Chromium), before a real gateway with TLS of its own and a real
identity provider. What the browser enforces is enforced here by the browser."""

import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState

from lockgate.control_plane.console.pages import SESSION
from lockgate.control_plane.console.sessions import IDLE_MS
from support.certificates import Authority
from support.chromium import chromium, other_site, person, troubles
from support.gateway import Gateway
from support.oidc_provider import Provider, running_provider

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.asyncio(loop_scope="module")]

HOST = "gate.example"
SECRET = "secret-of-the-console-" + "x" * 24
SIGNED_IN = "Signed in as"
POST = """([action, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
INJECTED = """() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
  const script = document.createElement("script");
  script.textContent = "window.ran = 'inline'";
  const other = document.createElement("script");
  other.src = "https://evil.example/x.js";
  const image = document.createElement("img");
  image.src = "https://evil.example/x.png";
  const handler = document.createElement("div");
  handler.innerHTML = "<img src=/console/none onerror=\\"window.ran = 'handler'\\">";
  const frame = document.createElement("iframe");
  frame.src = "https://evil.example/";
  document.body.append(script, other, image, handler, frame);
}"""
REFUSED = ["script-src-elem", "script-src-attr", "img-src", "frame-src"]
FRAMED = """(url) => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.body.append(frame);
}"""


class Site(msgspec.Struct, frozen=True):
    gate: Gateway
    origin: str
    others: int
    """Port of somebody else's server."""

    @property
    def home(self) -> str:
        return f"{self.origin}/console/"

    @property
    def roles(self) -> str:
        return f"{self.origin}/console/roles"

    def changed(self, query: str, *given: object) -> None:
        with closing(sqlite3.connect(self.gate.folder / "data" / "lockgate.db")) as rows:
            rows.execute(query, given)
            rows.commit()

    @property
    def asked(self) -> int:
        """How many roles were ever asked for."""
        with closing(sqlite3.connect(self.gate.folder / "data" / "lockgate.db")) as rows:
            (count,) = rows.execute("SELECT count(*) FROM inquiry").fetchone()
            return int(count)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"https://{HOST}:{port}"
    issued = Authority("Clinic").issue("gate", dns=(HOST, "evil.example"))
    certificate, key = issued.write(folder, "gate")
    client = {"client_secret": SECRET, "grant_types": ["authorization_code"],
              "redirect_uris": [f"{origin}/console/callback"]}  # fmt: skip
    with running_provider(clients={"lockgate": client}) as provider:
        gate = made(folder, port, certificate, key, provider, origin)
        with gate, other_site(certificate, key) as others:
            yield Site(gate, origin, others)


def made(
    folder: Path, port: int, certificate: Path, key: Path, provider: Provider, origin: str
) -> Gateway:
    tls = {"certificate": str(certificate), "key": str(key)}
    gate = Gateway(
        folder / "gate", {}, listen={"port": port, "hosts": [HOST], "tls": tls},
        console={"issuer": provider.issuer, "origin": origin,
                 "client_secret": "env:CONSOLE_SECRET"},
        admin={"enforced": True, "granters": ["oidc:bob"]},
    )  # fmt: skip
    gate.environment["CONSOLE_SECRET"] = SECRET
    return gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def state(browser: Browser, site: Site) -> StorageState:
    """What is left in a browser in which Alice has signed in."""
    page = await signed_in(browser, site, "alice")
    return await page.context.storage_state()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, site: Site, state: StorageState) -> Page:
    """The room Roles, with Alice signed in."""
    found = await (await person(browser, state)).new_page()
    await found.goto(site.roles)
    assert SIGNED_IN in await found.content()
    return found


async def signed_in(browser: Browser, site: Site, who: str) -> Page:
    """By the pages that a person sees, from the first to the last."""
    page = await (await person(browser)).new_page()
    await page.goto(site.home)
    await page.get_by_role("link", name="Sign in with your company account").click()
    while not page.url.startswith(site.origin):
        if await page.locator("input[name=login]").count():
            await page.fill("input[name=login]", who)
            await page.fill("input[name=password]", "password")
        await page.get_by_role("button", name="Go on").click()
    assert page.url == site.home
    assert SIGNED_IN in await page.content()
    return page


async def test_a_role_is_asked_for_and_given(browser: Browser, site: Site) -> None:
    """And no page makes the browser complain, or needs anything from elsewhere."""
    alice, bob = await signed_in(browser, site, "alice"), await signed_in(browser, site, "bob")
    complaints = [troubles(alice, site.origin), troubles(bob, site.origin)]
    await alice.goto(site.roles)
    await alice.get_by_role("combobox", name="Role").select_option("operator")
    await alice.get_by_label("Reason").fill("to rotate a key")
    await alice.get_by_role("button", name="Ask").click()
    await alice.get_by_text("You asked for operator: to rotate a key").wait_for()
    await bob.goto(site.roles)
    row = bob.get_by_role("row").filter(has_text="oidc:alice")
    await row.get_by_role("button", name="Grant").click()
    await bob.get_by_text("None that you may answer.").wait_for()
    await alice.get_by_role("button", name="Give up").wait_for()  # by itself: she was told
    steps = [row.header["action"] for row in site.gate.rows(kind="approval.changed")]
    assert steps == ["privilege.request", "privilege.grant"]
    await alice.get_by_role("button", name="Sign out").click()
    await alice.get_by_role("heading", name="Signed out").wait_for()
    assert await alice.context.cookies(site.origin) == []
    assert complaints == [[], []]


async def test_the_session_is_a_cookie_that_no_script_gets(page: Page, site: Site) -> None:
    (cookie,) = await page.context.cookies(site.origin)
    assert {k: cookie[k] for k in ("name", "httpOnly", "secure", "sameSite", "domain", "path")} == {
        "name": SESSION, "httpOnly": True, "secure": True, "sameSite": "Lax", "domain": HOST,
        "path": "/",
    }  # fmt: skip
    assert await page.evaluate("document.cookie") == ""
    await page.evaluate(f"document.cookie = '{SESSION}=planted; Secure; Path=/'")
    assert (await page.context.cookies(site.origin))[0]["value"] == cookie["value"]


async def test_a_session_that_is_idle_is_over(browser: Browser, site: Site) -> None:
    page = await signed_in(browser, site, "doctor")
    await page.goto(site.roles)
    idle = "UPDATE console_session SET seen = seen - ? WHERE identity = 'oidc:doctor'"
    before = site.asked
    await page.get_by_label("Reason").fill("too late")
    site.changed(idle, IDLE_MS)  # as if that time had gone by
    await page.get_by_role("button", name="Ask").click()
    await page.get_by_role("heading", name="Signed out").wait_for()
    await page.goto(site.home)
    await page.get_by_role("link", name="Sign in with your company account").wait_for()
    assert site.asked == before


async def test_no_script_runs_and_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    """Whatever somebody might get into a page (XSS)."""
    await page.evaluate(INJECTED)
    await page.wait_for_function("(all) => all.every(one => refused.includes(one))", arg=REFUSED)
    assert await page.evaluate("window.ran ?? null") is None


async def test_a_form_without_its_token_does_nothing(page: Page, site: Site) -> None:
    await page.evaluate("document.querySelectorAll('input[name=token]').forEach(i => i.remove())")
    before = site.asked
    await page.get_by_label("Reason").fill("without a token")
    await page.get_by_role("button", name="Ask").click()
    await page.get_by_role("heading", name="Not done").wait_for()
    assert site.asked == before


@pytest.mark.parametrize("host", ["evil.example", HOST])
async def test_a_page_of_another_origin_cannot_act_for_whoever_is_signed_in(
    page: Page, site: Site, host: str
) -> None:
    """From another site, which gets no cookie along; and from another port of the same host, which
    does (to a browser that is the same site), and even with the right token."""
    token = await page.locator("form[action='/console/request'] input[name=token]").input_value()
    fields = {"token": token, "role": "operator", "reason": "forged", "minutes": "60"}
    evil, before = await page.context.new_page(), site.asked
    for action in ("request", "sign-out"):
        await evil.goto(f"https://{host}:{site.others}/")
        async with evil.expect_navigation(url=f"{site.origin}/**") as gone:
            await evil.evaluate(POST, [f"{site.origin}/console/{action}", fields])
        answer = await gone.value
        assert (answer.status, "wire.bad-origin" in await answer.text()) == (403, True)
    assert site.asked == before
    await page.goto(site.home)
    assert SIGNED_IN in await page.content()


async def test_a_page_of_another_origin_cannot_read_or_frame_the_console(
    page: Page, site: Site
) -> None:
    evil = await page.context.new_page()
    await evil.goto(f"https://{HOST}:{site.others}/")
    read = "(url) => fetch(url, {credentials: 'include'}).then(() => 'read', () => 'refused')"
    assert await evil.evaluate(read, site.home) == "refused"
    async with evil.expect_console_message(lambda said: "frame-ancestors" in said.text):
        await evil.evaluate(FRAMED, site.home)
    assert len(evil.frames) == 2
    for frame in evil.frames:
        assert SIGNED_IN not in await frame.content()
