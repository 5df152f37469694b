"""What pages are made of: templates without a script of their own, and strict headers."""

from datetime import UTC, datetime
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lockgate.audit.reader import timestamp
from lockgate.control_plane.console.assets import href
from lockgate.control_plane.services.plain_text import visible

SESSION, VISIT = "__Host-lockgate", "__Host-lockgate-visit"
"""Cookies: of whoever is signed in; of who is about to be. With this prefix a browser takes them
only over TLS (or loopback), from this very host, for all of it (RFC 6265bis, section 4.1.3.2)."""

HOME = "/console/"
VISIT_SECONDS = 600
"""A sign-in takes no longer."""

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Of every answer; what is kept for good says so itself: see ``assets``."""


def when(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(ms: int, now: int) -> str:
    """How long it is past or to come, in its largest unit."""
    seconds = abs(now - ms) // 1000
    unit, size = next((u, s) for u, s in _UNITS if seconds >= s)
    count = seconds // size if size else seconds
    if not count:
        return "just now" if ms <= now else "in a moment"
    told = f"{count} {unit}{'s' if count > 1 and unit in _WORDS else ''}"
    return f"{told} ago" if ms <= now else f"in {told}"


_WORDS = ("day", "year")
_UNITS = (("year", 31_557_600), ("day", 86_400), ("h", 3_600), ("min", 60), ("s", 0))


def duration(ms: int) -> str:
    return f"{ms} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"


LONGEST = 16_384
"""Characters of one part of a journal entry that a page shows. Arguments may have megabytes; the
API and `lockgate audit show` have all of them."""


def _json(tree: Any) -> str:
    """For people: indented, and nothing in it hides or steers."""
    return _lines(_indented(tree))


def _brief(tree: Any) -> str:
    """The same, cut where it is long."""
    text = _indented(tree)
    cut = f"\n... ({len(text)} characters)" if len(text) > LONGEST else ""
    return _lines(text[:LONGEST]) + cut


def _indented(tree: Any) -> str:
    return orjson.dumps(tree, option=orjson.OPT_INDENT_2).decode()


def _lines(text: Any) -> str:
    return "\n".join(map(visible, str(text).split("\n")))


_TEMPLATES = Environment(
    loader=PackageLoader("lockgate.control_plane.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(
    when=when, ago=ago, iso=timestamp, duration=duration, json=_json, brief=_brief,
    visible=lambda value: visible(str(value)), lines=_lines,
)  # fmt: skip
_TEMPLATES.globals.update(asset=href, frame=None, now=0)


def page(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status)


def told(title: str, *lines: str, status: int = 200, frame: Any = None) -> Response:
    """A page of a few sentences and the way home. ``frame``: see ``visit``."""
    lines = tuple(line for line in lines if line)
    return page("told.html", status, title=title, lines=lines, frame=frame)


def go(where: str = HOME) -> Response:
    """After a form, or to the identity provider. 303: the next request is a GET."""
    return RedirectResponse(where, 303)


def put_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """``seconds``: None lasts as long as the browser; the server's limits count anyway."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
