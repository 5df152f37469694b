"""A doctor decides in a real browser (Chromium), signed in at a real identity provider, before a
real gateway with TLS of its own: what an agent asks appears by itself, and runs once."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState
from pyreqwest.client import ClientBuilder

from support.certificates import Authority
from support.chromium import chromium, person, troubles
from support.client import McpClient, Said
from support.gateway import PERMIT_ALL, ROOT, Gateway, python
from support.oidc_provider import running_provider
from support.postgres import Server
from support.real_servers import program

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.asyncio(loop_scope="module")]

HOST = "gate.example"
SECRET = "secret-of-the-console-" + "x" * 24
ODD = str(ROOT / "tests" / "support" / "odd_child.py")
POLICY = (
    PERMIT_ALL
    + """
@hold("care")
forbid(principal, action == Action::"tools/call", resource == Tool::"records/query")
  when { !(principal is System) }
  unless { context.approvals.contains("care") };
"""
)
WIDTHS = {"phone": (360, 780), "desk": (1280, 900)}
LATEST_SECONDS = 1.0
"""From the call to the approver's screen."""
SLACK = 3.0
"""A busy machine may take so many times as long."""
PAGE_BYTES = 100_000
FOCUSED = "document.activeElement.innerText || document.activeElement.name"


class Site(msgspec.Struct, frozen=True):
    gate: Gateway
    origin: str

    @property
    def room(self) -> str:
        return f"{self.origin}/console/approvals"


@pytest.fixture(scope="module")
def records(postgres: Server) -> Iterator[dict[str, Any]]:
    """The reference server for PostgreSQL: every query of a person waits, and is explained."""
    with postgres.database(made=False) as url:
        name = url.partition("@/")[2].partition("?")[0]
        postgres.execute("CREATE TABLE ward (id integer, name text)", name)
        place = f"postgresql://postgres@localhost/{name}?host={postgres.folder}"
        explained = {"preview": {"tool": "query", "arguments": {"sql": "EXPLAIN {/sql}"}}}
        yield {"command": program("mcp-server-postgres"), "args": [place], "env": {},
               "tools": {"query": explained}}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, records: dict[str, Any]) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("approvals")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"https://{HOST}:{port}"
    certificate, key = Authority("Clinic").issue("gate", dns=(HOST,)).write(folder, "gate")
    client = {"client_secret": SECRET, "grant_types": ["authorization_code"],
              "redirect_uris": [f"{origin}/console/callback"]}  # fmt: skip
    held = python(ODD, "", data_classes=["phi"], trust="internal",
                  tools={"echo": {"hold": "care"}})  # fmt: skip
    with running_provider(clients={"lockgate": client}) as provider:
        gate = Gateway(
            folder / "gate", {"clinic": held, "records": records}, POLICY,
            listen={"port": port, "hosts": [HOST],
                    "tls": {"certificate": str(certificate), "key": str(key)}},
            console={"issuer": provider.issuer, "origin": origin,
                     "client_secret": "env:CONSOLE_SECRET"},
            approvals={"factors": {"care": {"people": ["oidc:doctor"]}}},
        )  # fmt: skip
        gate.environment["CONSOLE_SECRET"] = SECRET
        gate.key("alice")
        with gate:
            yield Site(gate, origin)
            assert "Traceback" not in gate.log


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def state(browser: Browser, site: Site) -> StorageState:
    """What is left in a browser in which the doctor has signed in."""
    page = await (await person(browser)).new_page()
    await page.goto(site.room)  # leads to the provider, and back here
    while not page.url.startswith(site.origin):
        if await page.locator("input[name=login]").count():
            await page.fill("input[name=login]", "doctor")
            await page.fill("input[name=password]", "password")
        await page.get_by_role("button", name="Go on").click()
    assert page.url == site.room
    return await page.context.storage_state()


@asynccontextmanager
async def agent(site: Site) -> AsyncIterator[McpClient]:
    builder = ClientBuilder().danger_accept_invalid_certs(True)
    async with builder.build() as http:
        url = f"https://127.0.0.1:{site.gate.settings['listen']['port']}/mcp/clinic"
        yield McpClient(http, url, site.gate.key("alice"))


async def prescribe(client: McpClient, dose: int, note: str = "as discussed") -> Said:
    asked = {"patient_id": "p-011", "drug": "metformin", "dose_mg": dose, "note": note}
    return await client.call("echo", asked)


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, state: StorageState) -> AsyncIterator[Page]:
    """The doctor's. Closed at the end, as a session has few streams at a time."""
    context = await person(browser, state)
    yield await context.new_page()
    await context.close()


async def test_what_an_agent_asks_appears_is_approved_and_runs_once(page: Page, site: Site) -> None:
    complaints = troubles(page, site.origin)
    await page.goto(site.room)
    await page.get_by_text("Nothing waits for you.").wait_for()
    await page.locator("#live-bar[data-state=live]").wait_for()
    async with agent(site) as alice:
        began = time.monotonic()
        asked = await prescribe(alice, 500)
        assert asked.reason == "approval.needed"
        await page.get_by_text("clinic/echo").first.wait_for()
        took = time.monotonic() - began
        print(f"from the call to the screen: {took:.2f} s")  # noqa: T201 - see with -s
        assert took < LATEST_SECONDS * SLACK, f"it took {took:.2f} s"
        await page.get_by_role("link", name="Look and decide").click()
        for shown in ("person:alice", "p-011", "metformin", "500", "phi"):
            await page.get_by_text(shown).first.wait_for()
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_text("oidc:doctor").first.wait_for()
        async with asyncio.timeout(20):
            while (done := await prescribe(alice, 500)).reason:
                assert done.reason in ("approval.needed", "approval.running")
        assert '"dose_mg": 500' in done.text.replace("\\", "")
        again = await prescribe(alice, 500)
        assert again.result["content"] == done.result["content"]
        assert (await prescribe(alice, 5000)).reason == "approval.needed", "one digit more"
    rows = site.gate.rows(target="echo")
    # The retry and the gateway itself may both begin; only one of them can use the approval.
    late = {r.call for r in rows if r.reason == "approval.used"}
    begun = [r for r in rows if (r.kind, r.effect) == ("call.intent", "permit")]
    assert len([r for r in begun if r.call not in late]) == 1
    # Leaving a page ends its stream.
    assert [what for what in complaints if "/console/live" not in what] == []


async def test_a_no_is_told(page: Page, site: Site) -> None:
    async with agent(site) as alice:
        asked = await prescribe(alice, 501)
        await page.goto(f"{site.room}/{handle(asked)}")
        await page.get_by_role("button", name="Deny").click()
        await page.get_by_text("denied").first.wait_for()
        title = await page.title()
        assert "clinic/echo" in title


async def test_what_the_agent_wrote_does_nothing_in_the_browser(page: Page, site: Site) -> None:
    complaints = troubles(page, site.origin)
    poison = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>\u202eevil'
    async with agent(site) as alice:
        asked = await prescribe(alice, 502, poison)
        await page.goto(f"{site.room}/{handle(asked)}")
    await page.get_by_text("window.ran=1").first.wait_for()
    assert await page.evaluate("window.ran ?? null") is None
    assert await page.get_by_text("\\u{202e}").count()
    assert complaints == []


async def test_what_a_statement_would_do_is_shown_and_not_done(page: Page, site: Site) -> None:
    async with agent(site) as alice:
        query = alice.at(alice.url.replace("/clinic", "/records"))
        asked = await query.call("query", {"sql": "SELECT name FROM ward"})
        await page.goto(f"{site.room}/{handle(asked)}")
        shown = page.locator("#preview")
        await shown.get_by_text("rows, as the database estimates").wait_for()
        text = await shown.inner_text()
        assert "ward" in text
        assert "Seq Scan" in text
        asked = await query.call("query", {"sql": "SELECT 1; DROP TABLE ward"})
        await page.goto(f"{site.room}/{handle(asked)}")
        await page.get_by_text("not one plain statement").wait_for()
    intents = site.gate.rows(kind="call.intent", target="query")
    assert [row.effect for row in intents] == ["hold", "permit", "hold"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_every_screen(
    page: Page, site: Site, width: str, scheme: str, tmp_path: Path
) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    sizes: list[int] = []
    page.on("response", lambda got: sizes.append(int(got.headers.get("content-length", "0"))))
    async with agent(site) as alice:
        asked = await prescribe(alice, 600)
    for name, place in (("room", site.room), ("one", f"{site.room}/{handle(asked)}")):
        await page.goto(place)
        await page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        across = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert across <= 0, f"{name} is wider than the screen"
    assert 0 < sum(sizes) < 2 * PAGE_BYTES, "two pages and what they need"


async def test_everything_is_reached_by_keyboard(page: Page, site: Site) -> None:
    async with agent(site) as alice:
        asked = await prescribe(alice, 700)
    await page.goto(f"{site.room}/{handle(asked)}")
    reached: set[str] = set()
    for _ in range(40):
        await page.keyboard.press("Tab")
        reached.add(
            await page.evaluate("document.activeElement.innerText || document.activeElement.name")
        )
    assert {"Skip to the page", "Approvals", "note", "Approve", "Deny"} <= reached
    await page.get_by_role("button", name="Deny").focus()
    await page.keyboard.press("Enter")
    await page.get_by_text("denied").first.wait_for()


def handle(asked: Said) -> str:
    """The question's id, as the refusal names it."""
    text = str(asked.result["content"][0]["text"])
    return next(word.strip(".:,()") for word in text.split() if len(word.strip(".:,()")) == 32
                and word.strip(".:,()") != asked.call)  # fmt: skip
