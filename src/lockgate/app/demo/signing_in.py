"""A person signs in as with ``lockgate login``: by its code, and the demo is their browser."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx2
from pyreqwest.http import Url

from lockgate.app.login.code_flow import Means, by_code
from lockgate.app.login.grant import Grant
from lockgate.app.login.signing import Flow, Order, sign_in
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetch, Fetched, FetchFailed

MOST_FORMS = 5


async def signed_in(
    url: str, client: str, typed: Mapping[str, str], kept: Path, http: httpx2.AsyncClient
) -> Grant:
    """Find the provider from the gateway's ``url``, sign in there by authorization code and PKCE,
    and keep the tokens in the private file ``kept``. ``typed``: what the person types, by field.

    ``http`` reaches the gateway; the browser is another, with cookies of its own.
    Raises ``Refused``, ``httpx2.HTTPError``.
    """
    order = Order(Url(url), client)
    try:
        async with _browser() as browser, asyncio.TaskGroup() as tasks:

            def show(address: str) -> None:
                tasks.create_task(visit(browser, address, typed))

            means = Means(fetch_by(http), time.time, lambda: secrets.token_urlsafe(32), show)
            return await sign_in(order, _flow(means), InsecureFile(kept), means.fetch)
    except ExceptionGroup as failed:  # of one: the browser's failure ends the waiting for it
        raise failed.exceptions[0] from None


def _flow(means: Means) -> Flow:
    return lambda wanted: by_code(wanted, means)


def fetch_by(http: httpx2.AsyncClient) -> Fetch:
    """``login.fetching`` trusts the system's authorities only; the demo's is none of them."""

    async def fetch(
        verb: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> Fetched:
        try:
            answer = await http.request(verb, url, headers=dict(headers), content=body)
        except httpx2.HTTPError as error:
            raise FetchFailed(f"it cannot be reached ({type(error).__name__})") from None
        return Fetched(answer.status_code, answer.content, dict(answer.headers))

    return fetch


async def visit(browser: httpx2.AsyncClient, address: str, typed: Mapping[str, str]) -> str:
    """Go to ``address`` and wherever redirects lead, and fill in each form that comes, until a page
    has none: its text. Raises ``Refused`` for a page that is an error."""
    answer = await browser.get(address)
    for _ in range(MOST_FORMS):
        form = Form(answer.text)
        if answer.is_error:
            raise Refused(f"The sign-in page answered {answer.status_code}.")
        if form.action is None:
            return answer.text
        filled = {name: typed.get(name, value) for name, value in form.fields.items()}
        answer = await browser.post(urljoin(str(answer.url), form.action), data=filled)
    raise Refused("The sign-in page asks again and again.")


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        """What each holds, by its name."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = said.get("action", "")
        elif tag == "input" and self.action is not None and "name" in said:
            self.fields[said["name"]] = said.get("value", "")


def _browser() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(follow_redirects=True, trust_env=False, timeout=20.0)
