"""The pages on which a person connects an account: consent, and the way back.

They run no script, load nothing from elsewhere and cannot be framed. The browser is told apart by a
``__Host-`` cookie: the form and the way back count only in the browser that was shown the consent.
Where people can sign in (the console), only the very person that the link was made for goes on:
looked at before the consent, with it, and on the way back.
"""

import hmac
import logging
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lockgate.app.console_door import Visitors
from lockgate.app.front import outer_scheme
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms, stamp
from lockgate.app.upstream_identity import DOCUMENT
from lockgate.app.wiring import Plant
from lockgate.control_plane.console.failures import SignInFailed
from lockgate.model import REASONS, Account, StoreDown
from lockgate.pipeline import record
from lockgate.pipeline.ports import Sealer
from lockgate.upstream.connecting import (
    CALLBACK,
    CONNECT,
    Connecting,
    ConnectRefused,
    Offer,
    check_visitor,
)
from lockgate.upstream.oauth_clients import OAuthClients

log = logging.getLogger("lockgate.connect")

COOKIE = "__Host-lockgate-connect"
_COOKIE_SECONDS = 1_200
_FORM_BYTES = 16_384
_PROOF = "connect-proof"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers would then send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TEMPLATES = Environment(
    loader=PackageLoader("lockgate.app", "pages"), autoescape=True, undefined=StrictUndefined
)
_CSS = _TEMPLATES.get_template("page.css").render()

_LOGGED = frozenset({"connect.failed", "connect.mix-up"})
"""What an operator must look into. The others anybody could have us write, and are counted."""


class _SignInFirst(Exception):
    def __init__(self, ticket: str) -> None:
        super().__init__("nobody is signed in in this browser")
        self.ticket = ticket


class ConnectPages:
    """What is below ``/connect``. ``connected`` is told of each account, ``refused`` of each
    reason, both with the peer's address. ``visitors`` is set where people can sign in."""

    def __init__(
        self,
        connecting: Connecting,
        clients: OAuthClients,
        seals: Sealer,
        base: Callable[[], str],
        connected: Callable[[Account, str], None],
        refused: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.visitors: Visitors | None = None
        self._connecting = connecting
        self._clients = clients
        self._seals = seals
        self._base = base
        self._connected = connected
        self._refused = refused
        routes = [
            Route(CONNECT, self._ask, methods=["GET"]),
            Route(CONNECT, self._agree, methods=["POST"]),
            Route(CALLBACK, self._back, methods=["GET"]),
            Route(DOCUMENT, self._document, methods=["GET"]),
            Route(f"{CONNECT}/page.css", self._css, methods=["GET"]),
        ]
        handlers = {ConnectRefused: self._refuse, _SignInFirst: self._sign_in}
        self.app = Starlette(routes=routes, exception_handlers=handlers)

    async def _ask(self, request: Request) -> Response:
        """What will happen, and for whom. Nothing is sent anywhere yet."""
        ticket = request.query_params.get("ticket", "")
        offer = await self._offered(request, ticket)
        browser = request.cookies.get(COOKIE) or secrets.token_urlsafe(32)
        proof = self._seals.seal(_PROOF, _bound(browser, offer))
        shown = {**_shown(offer), "ticket": ticket, "proof": proof}
        answer = self._page("consent.html", 200, "Connect an account", shown)
        return _remembered(answer, browser)

    async def _agree(self, request: Request) -> Response:
        said = await self._form(request)
        offer = await self._offered(request, said.get("ticket", ""))
        browser = request.cookies.get(COOKIE, "")
        shown = self._seals.open(_PROOF, said.get("proof", "")) or b""
        if not browser or not hmac.compare_digest(shown, _bound(browser, offer)):
            raise ConnectRefused("connect.other-browser", "not as it was shown")
        # Whatever the browser brought along, only what it gets now counts on the way back.
        browser = secrets.token_urlsafe(32)
        url = await self._connecting.begin(offer, browser)
        return _remembered(RedirectResponse(url, 303, _HEADERS), browser)

    async def _back(self, request: Request) -> Response:
        """From the authorization server (RFC 6749, section 4.1.2)."""
        pairs = request.query_params.multi_items()
        said = dict(pairs)
        if len(said) != len(pairs):
            raise ConnectRefused("connect.link", "a parameter came twice")
        visitor = await self._visitor(request)
        account = await self._connecting.finish(said, request.cookies.get(COOKIE, ""), visitor)
        self._connected(account, _peer(request))
        says = f"{account.principal} can now use {account.upstream} through Lockgate."
        remedy = "Close this page, and try again what you were doing."
        shown = {"says": says, "remedy": remedy, "reason": ""}
        return self._page("told.html", 200, "Connected", shown)

    async def _document(self, _: Request) -> Response:
        return Response(self._clients.document(), 200, _HEADERS, "application/json")

    async def _css(self, _: Request) -> Response:
        return Response(_CSS, 200, _HEADERS, "text/css")

    async def _offered(self, request: Request, ticket: str) -> Offer:
        """Raises ``ConnectRefused``, also where the browser is somebody else's, and
        ``_SignInFirst`` where nobody has signed in in it."""
        offer = await self._connecting.offer(ticket)
        visitor = await self._visitor(request)
        if visitor == "":
            raise _SignInFirst(ticket)
        check_visitor(offer.ticket, visitor)
        return offer

    async def _visitor(self, request: Request) -> str | None:
        """As ``check_visitor`` has it. Raises ``ConnectRefused``."""
        if self.visitors is None:
            return None
        try:
            return await self.visitors.who(request)
        except StoreDown as down:
            raise ConnectRefused("connect.failed", str(down)) from None

    async def _sign_in(self, request: Request, asked: Exception) -> Response:
        """Only for a link that is good, and from there back to it and nowhere else."""
        assert isinstance(asked, _SignInFirst)  # noqa: S101 - registered for no other
        assert self.visitors is not None  # noqa: S101 - or nobody would have been asked who it is
        try:
            answer = await self.visitors.sign_in(f"{CONNECT}?{urlencode({'ticket': asked.ticket})}")
        except (SignInFailed, StoreDown) as failed:
            refused = ConnectRefused("connect.failed", f"nobody can sign in: {failed}")
            return await self._refuse(request, refused)
        answer.headers.update(_HEADERS)
        return answer

    async def _form(self, request: Request) -> Mapping[str, str]:
        """Only from our own page (Fetch Metadata, and ``Origin`` as a browser sends it)."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if origin != self._base() or site not in (None, "same-origin"):
            raise ConnectRefused("connect.other-browser", "sent from another page")
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > _FORM_BYTES:
                    raise ConnectRefused("connect.link", "the form is too large")
        except ClientDisconnect:
            raise ConnectRefused("connect.link", "the browser left") from None
        return dict(parse_qsl(body.decode("latin-1")))

    async def _refuse(self, request: Request, refused: Exception) -> Response:
        assert isinstance(refused, ConnectRefused)  # noqa: S101 - registered for no other
        self._refused(refused.reason, _peer(request))
        if refused.reason in _LOGGED:
            log.warning("an account was not connected: %s", refused)
        found = REASONS[refused.reason]
        shown = {"says": found.says, "remedy": found.remedy, "reason": found.code}
        return self._page("told.html", found.http, "Not connected", shown)

    def _page(
        self, template: str, status: int, title: str, shown: Mapping[str, object]
    ) -> Response:
        text = _TEMPLATES.get_template(template).render(title=title, **shown)
        return Response(text, status, _HEADERS, "text/html")


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def _remembered(answer: Response, browser: str) -> Response:
    answer.set_cookie(
        COOKIE, browser, max_age=_COOKIE_SECONDS, path="/", secure=True, httponly=True,
        samesite="lax",
    )  # fmt: skip
    return answer


def _bound(browser: str, offer: Offer) -> bytes:
    """What a form is good for: this browser, this link, and what was shown."""
    said = (browser, offer.ticket.nonce, offer.ticket.holder, offer.issuer, *offer.scopes)
    return "\0".join(said).encode()


def _shown(offer: Offer) -> dict[str, object]:
    return {
        "who": offer.ticket.holder,
        "upstream": offer.ticket.upstream,
        "host": urlsplit(offer.url).hostname,
        "issuer": offer.issuer,
        "scopes": offer.scopes,
        "redirect": urlsplit(offer.redirect_uri).netloc,
    }


def pages_of(plant: Plant) -> ConnectPages:
    def connected(account: Account, peer: str) -> None:
        plant.journal.note(record.account_connected(stamp(), account, peer))

    identity = plant.upstream_identity
    return ConnectPages(
        identity.connecting, identity.clients, plant.sealer, lambda: identity.base, connected,
        lambda reason, peer: plant.tally.add(reason, peer, now_ms()),
    )  # fmt: skip


def base_of(settings: Settings, bound: str) -> str:
    """The gateway's own origin, as browsers reach it. Where people sign in it is the console's: no
    other would get the cookie that says who they are."""
    listen, console = settings.listen, settings.console
    if console.issuer is not None and console.origin is not None:
        return console.origin
    if listen.public_url:
        return listen.public_url.lower()
    exposed = listen.behind_tls_proxy and listen.hosts
    return f"{outer_scheme(settings)}://{listen.hosts[0] if exposed else bound}"
