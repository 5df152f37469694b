"""Administrators' browsers before a real gateway with two workers and a real identity provider."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from support.browser import Browser, to_server
from support.form_browser import FormBrowser
from support.gateway import Gateway
from support.oidc_provider import Provider, running_provider
from support.processes import until

pytestmark = [pytest.mark.e2e, pytest.mark.node]

HOME, ROLES = "/console/", "/console/roles"
SECRET = "secret-of-the-console-" + "x" * 24
WHY = {"reason": "to rotate a key", "minutes": "30"}


class Site:
    def __init__(self, gate: Gateway, provider: Provider, origin: str) -> None:
        self.gate, self.provider, self.origin = gate, provider, origin

    def browser(self) -> Browser:
        return Browser(to_server(self.origin), self.origin)

    def back_from_provider(self, address: str, who: str) -> str:
        """Path and query that the provider sends the browser back to, once ``who`` signed in."""
        fields = {"login": who, "password": "password"}
        page = FormBrowser(self.provider.ca).visit(
            address, fields, f"{self.origin}/console/callback"
        )
        assert page.url.startswith(self.origin), page.text
        return page.url.removeprefix(self.origin)

    async def signed_in(self, who: str) -> Browser:
        browser = self.browser()
        begun = await browser.get("/console/sign-in")
        back = await browser.get(self.back_from_provider(begun.header("location"), who))
        assert (back.status, back.header("location")) == (303, HOME), self.gate.log
        return browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    client = {
        "client_secret": SECRET, "grant_types": ["authorization_code"],
        "redirect_uris": [f"{origin}/console/callback"],
        "backchannel_logout_uri": f"{origin}/console/backchannel-logout",
    }  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("console")
    with running_provider(clients={"lockgate": client}) as provider:
        gate = Gateway(
            folder, {}, listen={"port": port, "workers": 2},
            console={"issuer": provider.issuer, "origin": origin,
                     "client_secret": "env:CONSOLE_SECRET"},
            admin={"enforced": True, "granters": ["oidc:bob", "oidc:doctor"]},
        )  # fmt: skip
        gate.environment["CONSOLE_SECRET"] = SECRET
        with gate:
            yield Site(gate, provider, origin)


async def test_a_role_is_asked_for_and_given_by_browsers_and_seen_at_the_command_line(
    site: Site,
) -> None:
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    home = await alice.get(ROLES)
    assert "<strong>Alice</strong>" in home.text
    await alice.submit(home, "/console/request", role="operator", **WHY)
    assert "to rotate a key" in (await bob.get(ROLES)).text
    listed = site.gate.cli("admin", "list")
    assert "oidc:alice" in listed
    request = next(line.split()[0] for line in listed.splitlines() if "oidc:alice" in line)
    assert (await bob.submit(await bob.get(ROLES), "/console/grant", id=request)).status == 303
    assert "oidc:bob" in (await alice.get(ROLES)).text
    assert "active" in site.gate.cli("admin", "list")
    out = await alice.submit(await alice.get(ROLES), "/console/sign-out")
    assert out.status == 200
    assert "Signed in as" not in (await alice.get(HOME)).text
    actions = [row.header.get("action") for row in site.gate.journal()]
    for action in ("console.sign-in", "privilege.request", "privilege.grant", "console.sign-out"):
        assert action in actions
    with pytest.raises(AssertionError, match="takes the admin role reader"):
        site.gate.cli("audit", "tail")
    asked = site.gate.cli(
        "admin", "request", "reader", "--reason", "audit", "--for", "1h", "--json"
    )
    one = str(json.loads(asked)["id"])
    assert (await bob.submit(await bob.get(ROLES), "/console/grant", id=one)).status == 303
    seen = site.gate.cli("audit", "tail", "--json")
    assert ("oidc:alice" in seen, "to rotate a key" in seen) == (True, False), "no contents"
    assert site.gate.cli("audit", "tail")


async def test_an_answer_of_the_provider_is_good_once(site: Site) -> None:
    browser = site.browser()
    begun = await browser.get("/console/sign-in")
    visit = dict(browser.jar)
    back = site.back_from_provider(begun.header("location"), "alice")
    assert (await browser.get(back)).status == 303
    thief = site.browser()
    thief.jar = visit
    assert (await thief.get(back)).status == 400
    assert "Signed in as" not in (await thief.get(HOME)).text


async def test_the_provider_ends_sessions_in_all_workers(site: Site) -> None:
    """OpenID Connect Back-Channel Logout: told to one worker, over for all within two seconds."""
    alice, bob = await site.signed_in("alice"), await site.signed_in("bob")
    assert site.provider.log_out("alice") == 1
    for _ in range(8):  # each request is a connection of its own, taken by either worker
        assert "Signed in as" not in (await alice.get(HOME)).text
        assert "Signed in as" in (await bob.get(HOME)).text


async def test_a_recovery_code_from_the_machine_lets_a_browser_in_once(site: Site) -> None:
    code = site.gate.cli("admin", "recover").strip()
    one, other = site.browser(), site.browser()
    page = await one.get("/console/recover")
    assert (await one.submit(page, "/console/recover", code=code)).status == 303
    assert "recovery admin" in (await one.get(HOME)).text
    again = await other.submit(await other.get("/console/recover"), "/console/recover", code=code)
    assert again.status == 403
    assert code not in site.gate.log
    assert code.replace("-", "") not in str(site.gate.journal())


async def test_a_page_is_told_of_what_another_process_changed_until_the_gateway_ends(
    site: Site,
) -> None:
    """The command line grants nothing here: it is another process with the same database."""
    bob = await site.signed_in("bob")
    page = await bob.get(ROLES)
    since = page.text.partition('data-since="')[2].partition('"')[0]
    connection = http.client.HTTPConnection(site.origin.partition("://")[2], timeout=20)
    cookie = "; ".join(f"{name}={value}" for name, value in bob.jar.items())
    connection.request("GET", f"/console/live?since={quote(since)}", headers={"cookie": cookie})
    stream = connection.getresponse()
    assert (stream.status, stream.readline(), stream.readline()) == (200, b"retry: 3000\n", b"\n")
    site.gate.cli("admin", "request", "operator", "--reason", "more", "--for", "1h")
    assert stream.readline().startswith(b"id: inquiry:")
    assert stream.readline() == b"event: changed\n"
    began = time.monotonic()
    assert site.gate.stop() == 0
    assert time.monotonic() - began < 10, "no stream keeps a stopping gateway"
    assert b"ended" not in stream.read(), "the browser comes back by itself"
    connection.close()
    site.gate.start()


async def test_no_secret_is_in_the_log(site: Site) -> None:
    await site.signed_in("alice")
    until(lambda: bool(site.gate.rows(kind="session.opened")))
    assert SECRET not in site.gate.log
    assert SECRET not in str(site.gate.journal())
