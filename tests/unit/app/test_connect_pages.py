"""The pages, without a socket. What is tried against them: ``tests/attacks/test_accounts.py``."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lockgate.app.connect_pages import COOKIE, ConnectPages, base_of
from lockgate.app.settings import Settings
from lockgate.app.upstream_identity import DOCUMENT
from lockgate.control_plane.console.pages import SESSION
from lockgate.control_plane.console.sign_in import LONGEST_ONWARD
from lockgate.control_plane.console.visitors import Visitors
from lockgate.model import Account
from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.store.sealing import AesGcmSealer
from lockgate.upstream.connecting import CALLBACK, Connecting
from lockgate.upstream.oauth_clients import OAuthClients
from support.asgi import Visit
from support.console_desk import ConsoleDesk
from support.issuer import ISSUER
from support.oauth_upstream import ALICE, BOB, Ticking, registered, servers
from support.paper_server import PaperServer

BASE = "https://gate.example"
NASTY = '<script>alert("x")</script>'


class Desk:
    def __init__(self, paper: PaperServer) -> None:
        ticking, sealer = Ticking(), AesGcmSealer(b"k" * 32)
        upstream = registered(paper, "account", scopes=("a", NASTY))
        clients = OAuthClients(paper.fetcher(), lambda: BASE, redirect=CALLBACK, document=DOCUMENT)
        self.paper = paper
        self.connecting = Connecting(
            {"notes": upstream}.get, servers(paper, ticking), clients,
            MemoryAccounts(ticking.ms), sealer, ticking.clock, lambda: BASE,
        )  # fmt: skip
        self.connected: list[tuple[Account, str]] = []
        self.refused: list[tuple[str, str]] = []
        self.pages = ConnectPages(
            self.connecting, clients, sealer, lambda: BASE,
            lambda account, peer: self.connected.append((account, peer)),
            lambda reason, peer: self.refused.append((reason, peer)),
        )  # fmt: skip

    def link(self, holder: str = ALICE) -> str:
        return urlsplit(self.connecting.link(holder, "notes")).query

    async def visit(
        self, verb: str, path: str, query: str = "", body: bytes = b"", **headers: str
    ) -> Visit:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made = Visit(verb, path, {"host": "gate.example", **named}, body, query.encode())
        await self.pages.app(made.scope, made.receive, made.send)
        return made


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with PaperServer() as paper:
        paper.issue()
        yield Desk(paper)


def text_of(visit: Visit) -> str:
    return b"".join(one.get("body", b"") for one in visit.answers).decode()


def header_of(visit: Visit, name: str) -> str:
    found = [v for k, v in visit.answers[0]["headers"] if k == name.encode()]
    return found[0].decode() if found else ""


def hidden(text: str, name: str) -> str:
    return text.partition(f'name="{name}" value="')[2].partition('"')[0]


async def test_the_consent_says_everything_and_sends_nothing(desk: Desk) -> None:
    page = await desk.visit("GET", "/connect", desk.link())
    text = text_of(page)
    for said in (ALICE, "notes", desk.paper.url, "gate.example", "<code>a</code>"):
        assert said in text
    assert not desk.paper.asked_for("/token")
    assert not desk.paper.asked_for("/authorize")


async def test_what_others_wrote_is_text_and_pages_run_no_script(desk: Desk) -> None:
    page = await desk.visit("GET", "/connect", desk.link())
    assert "<script" not in text_of(page)
    policy = header_of(page, "content-security-policy")
    assert "default-src 'none'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert header_of(page, "x-frame-options") == "DENY"
    assert header_of(page, "cache-control") == "no-store"
    assert header_of(page, "referrer-policy") == "same-origin"


async def test_the_cookie_is_for_this_host_and_no_script(desk: Desk) -> None:
    cookie = header_of(await desk.visit("GET", "/connect", desk.link()), "set-cookie")
    assert cookie.startswith(f"{COOKIE}=")
    for said in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert said in cookie
    assert "Domain" not in cookie


async def agreed(desk: Desk, **headers: str) -> Visit:
    page = await desk.visit("GET", "/connect", desk.link())
    text, cookie = text_of(page), header_of(page, "set-cookie").partition(";")[0]
    form = {"ticket": hidden(text, "ticket"), "proof": hidden(text, "proof")}
    sent = {"origin": BASE, "cookie": cookie, **headers}
    return await desk.visit("POST", "/connect", body=urlencode(form).encode(), **sent)


async def test_a_person_is_sent_on_and_comes_back_connected(desk: Desk) -> None:
    sent = await agreed(desk)
    assert sent.answers[0]["status"] == 303
    target = urlsplit(header_of(sent, "location"))
    state = parse_qs(target.query)["state"][0]
    back = urlencode({"state": state, "code": "c", "iss": desk.paper.url})
    cookie = header_of(sent, "set-cookie").partition(";")[0]
    page = await desk.visit("GET", CALLBACK, back, cookie=cookie)
    assert page.answers[0]["status"] == 200
    ((account, peer),) = desk.connected
    assert (account.principal, account.upstream, peer) == (ALICE, "notes", "192.0.2.1")
    assert "access-1" not in text_of(page)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"},
     {"cookie": ""}, {"cookie": f"{COOKIE}=other"}],
)  # fmt: skip
async def test_a_form_from_elsewhere_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    sent = await agreed(desk, **headers)
    assert sent.answers[0]["status"] == 403
    assert "connect.other-browser" in text_of(sent)


async def test_a_form_without_end_is_refused(desk: Desk) -> None:
    sent = await desk.visit("POST", "/connect", body=b"x" * 20_000, origin=BASE)
    assert "connect.link" in text_of(sent)


# Where people can sign in.


@pytest.fixture
def console(desk: Desk) -> ConsoleDesk:
    made = ConsoleDesk()
    desk.pages.visitors = Visitors(made.backing)
    return made


async def cookie_of(console: ConsoleDesk, who: str) -> str:
    return f"{SESSION}={(await console.signed_in(who)).jar[SESSION]}"


async def test_a_link_for_another_person_than_is_signed_in_is_refused(
    desk: Desk, console: ConsoleDesk
) -> None:
    """Confused deputy: Mallory sends Alice a link that would connect her account for Mallory."""
    alice = await cookie_of(console, "alice")
    refused = await desk.visit("GET", "/connect", desk.link(BOB), cookie=alice)
    assert refused.answers[0]["status"] == 403
    assert "connect.other-person" in text_of(refused)
    good = await desk.visit("GET", "/connect", desk.link(ALICE), cookie=alice)
    assert good.answers[0]["status"] == 200


async def test_whoever_is_not_signed_in_signs_in_first_and_comes_back_to_the_link(
    desk: Desk, console: ConsoleDesk
) -> None:
    link = desk.link()
    sent = await desk.visit("GET", "/connect", link)
    assert (sent.answers[0]["status"], header_of(sent, "cache-control")) == (303, "no-store")
    browser = console.browser()
    name, _, value = header_of(sent, "set-cookie").partition(";")[0].partition("=")
    browser.jar[name] = value
    back = await console.back(browser, console.issuer.authorize(header_of(sent, "location")))
    assert (back.status, back.header("location")) == (303, f"/connect?{link}")
    page = await desk.visit("GET", "/connect", link, cookie=f"{SESSION}={browser.jar[SESSION]}")
    assert "Connect my account" in text_of(page)


async def test_nobody_is_sent_to_sign_in_for_a_link_that_is_none(
    desk: Desk, console: ConsoleDesk
) -> None:
    page = await desk.visit("GET", "/connect", "ticket=forged")
    assert "connect.link" in text_of(page)
    assert console.issuer.log == []


async def test_a_link_that_is_too_long_for_a_cookie_is_opened_again_by_hand(
    desk: Desk, console: ConsoleDesk
) -> None:
    long = urlsplit(desk.connecting.link(ALICE, "notes", ("s" * LONGEST_ONWARD,))).query
    sent = await desk.visit("GET", "/connect", long)
    cookie = header_of(sent, "set-cookie")
    assert (sent.answers[0]["status"], len(cookie) < 1_000) == (303, True)


async def test_the_person_must_be_signed_in_to_the_end(desk: Desk, console: ConsoleDesk) -> None:
    alice, bob = await cookie_of(console, "alice"), await cookie_of(console, "bob")
    sent, browser = await begun(desk, alice)
    for signed_in, reason in ((bob, "connect.other-person"), ("x=y", "connect.signed-out")):
        page = await desk.visit("GET", CALLBACK, sent, cookie=f"{browser}; {signed_in}")
        assert (page.answers[0]["status"], reason in text_of(page)) == (403, True)
    assert desk.connected == []
    assert not desk.paper.asked_for("/token")
    page = await desk.visit("GET", CALLBACK, sent, cookie=f"{browser}; {alice}")
    assert page.answers[0]["status"] == 200
    assert [account.principal for account, _ in desk.connected] == [ALICE]


async def test_consent_of_somebody_else_is_none(desk: Desk, console: ConsoleDesk) -> None:
    """Also with the form, and in the browser, that it was shown in."""
    alice, bob = await cookie_of(console, "alice"), await cookie_of(console, "bob")
    form, browser = await shown(desk, alice)
    for signed_in, status in ((bob, 403), ("x=y", 303), (alice, 303)):
        said = await desk.visit("POST", "/connect", body=form, origin=BASE,
                                cookie=f"{browser}; {signed_in}")  # fmt: skip
        assert said.answers[0]["status"] == status
        to_sign_in = header_of(said, "location").startswith(ISSUER)
        assert to_sign_in is (signed_in == "x=y")


async def test_nobody_connects_while_nobody_can_sign_in(desk: Desk, console: ConsoleDesk) -> None:
    console.issuer.down = True
    page = await desk.visit("GET", "/connect", desk.link())
    assert (page.answers[0]["status"], "connect.failed" in text_of(page)) == (502, True)


async def shown(desk: Desk, signed_in: str) -> tuple[bytes, str]:
    """The form, and the cookie that came with it."""
    page = await desk.visit("GET", "/connect", desk.link(), cookie=signed_in)
    text = text_of(page)
    form = {"ticket": hidden(text, "ticket"), "proof": hidden(text, "proof")}
    return urlencode(form).encode(), header_of(page, "set-cookie").partition(";")[0]


async def begun(desk: Desk, signed_in: str) -> tuple[str, str]:
    """The query with which the browser comes back, and its cookie."""
    form, browser = await shown(desk, signed_in)
    sent = await desk.visit("POST", "/connect", body=form, origin=BASE,
                            cookie=f"{browser}; {signed_in}")  # fmt: skip
    state = parse_qs(urlsplit(header_of(sent, "location")).query)["state"][0]
    back = urlencode({"state": state, "code": "c", "iss": desk.paper.url})
    return back, header_of(sent, "set-cookie").partition(";")[0]


async def test_our_document_says_who_we_are(desk: Desk) -> None:
    page = await desk.visit("GET", DOCUMENT)
    assert f"{BASE}{DOCUMENT}" in text_of(page)
    assert header_of(await desk.visit("GET", "/connect/page.css"), "content-type").startswith(
        "text/css"
    )


def test_the_base_is_where_browsers_reach_the_gateway() -> None:
    assert base_of(Settings(), "127.0.0.1:8765") == "http://127.0.0.1:8765"
    listen = {"host": "10.0.0.1", "behind_tls_proxy": True, "hosts": ("gate.example",)}
    assert base_of(Settings.model_validate({"listen": listen}), "10.0.0.1:1") == BASE
    console = {"issuer": "https://login.example", "origin": "https://console.example"}
    both = Settings.model_validate({"listen": listen, "console": console})
    assert base_of(both, "10.0.0.1:1") == "https://console.example", "where people sign in"


async def test_what_is_refused_is_counted_by_reason_and_peer(desk: Desk) -> None:
    await desk.visit("GET", "/connect", "ticket=forged")
    assert desk.refused == [("connect.link", "192.0.2.1")]
