"""What pages are made of: templates without scripts, and headers that keep browsers strict."""

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

SESSION, VISIT = "__Host-lockgate", "__Host-lockgate-visit"
"""Cookies: of whoever is signed in; of who is about to be. With this prefix a browser takes them
only over TLS (or loopback), from this very host, for all of it (RFC 6265bis, section 4.1.3.2)."""

HOME = "/console/"
VISIT_SECONDS = 600
"""A sign-in takes no longer."""

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Of every answer."""


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


_TEMPLATES = Environment(
    loader=PackageLoader("lockgate.control_plane.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["when"] = _when


def page(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status)


def told(title: str, *lines: str, status: int = 200) -> Response:
    """A page of a few sentences and the way home."""
    return page("told.html", status, title=title, lines=[line for line in lines if line])


def go(where: str = HOME) -> Response:
    """After a form, or to the identity provider. 303: the next request is a GET."""
    return RedirectResponse(where, 303)


def style() -> Response:
    return Response(_TEMPLATES.get_template("style.css").render(), media_type="text/css")


def put_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """``seconds``: None lasts as long as the browser; the server's limits count anyway."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
