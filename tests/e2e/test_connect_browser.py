"""A person connects their account in a real browser (Chromium): they sign in to the gateway, agree,
and come back from the upstream's real authorization server."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from support.chromium import chromium, person, troubles
from support.client import McpClient, http_client
from support.guarded_house import House, house, link_in

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("browser"), {"mode": "account"}, console=True) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


async def told(at: House, who: str) -> str:
    async with http_client() as http:
        client = McpClient(http, f"{at.gate.url}/guarded", at.gate.key(who))
        said = await client.call("whoami")
    return str(said.result["content"][0]["text"])


async def sign_in(page: Page, at: House, who: str) -> None:
    """At the provider, until it sends the browser back."""
    await page.fill("input[name=login]", who)
    await page.fill("input[name=password]", "password")
    while page.url.startswith(at.provider.issuer):
        await page.get_by_role("button", name="Go on").click()


async def test_a_link_leads_by_the_sign_in_to_a_connected_account(
    browser: Browser, people: House
) -> None:
    link = link_in(await told(people, "alice"))
    page = await (await person(browser)).new_page()
    complaints = troubles(page, people.gate.base)
    await page.goto(link)
    assert page.url.startswith(people.provider.issuer), "who is this, first of all"
    await sign_in(page, people, "alice")
    assert page.url == link
    await page.get_by_text("person:alice").first.wait_for()
    await page.get_by_role("button", name="Connect my account").click()
    while page.url.startswith(people.provider.issuer):
        await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("heading", name="Connected", exact=True).wait_for()
    assert not complaints, "\n".join(complaints)
    assert await told(people, "alice") == "alice via lockgate"


async def test_a_link_that_somebody_else_was_given_is_refused(
    browser: Browser, people: House
) -> None:
    page = await (await person(browser)).new_page()
    await page.goto(link_in(await told(people, "bob")))
    await sign_in(page, people, "alice")
    await page.get_by_role("heading", name="Not connected").wait_for()
    await page.get_by_text("connect.other-person").wait_for()
    assert "upstream.connect" in await told(people, "bob")
