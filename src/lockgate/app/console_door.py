"""How requests get to the console: under its own name only. It is no way around the gate."""

from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lockgate.app.exchange import Application, Exchange
from lockgate.app.news import News
from lockgate.wire.refusal import WireRefusal

FORM_BYTES = 65_536
"""Largest form."""


class Visitors(Protocol):
    """``control_plane.console.visitors``. Raises ``SignInFailed`` and ``StoreDown``."""

    async def who(self, request: Request) -> str:
        """Id of the principal who is signed in in this browser; empty where nobody is."""
        ...

    async def sign_in(self, onward: str) -> Response:
        """Sends the browser to sign in, and then to ``onward``: a path of ours, with its query."""
        ...


class Joined(msgspec.Struct, frozen=True):
    """The console, and what others need of it."""

    application: Application
    visitors: Visitors
    news: News


async def hand_over(exchange: Exchange, console: Application, origin: str, seconds: float) -> None:
    """Forms come only from its own pages, within ``seconds``. Raises ``WireRefusal``."""
    check_console(exchange, origin)
    body = await exchange.body(FORM_BYTES, seconds)
    await exchange.hand_to(console, body)


def check_console(exchange: Exchange, origin: str) -> None:
    """Only under its own name, and its forms only from its own pages. Raises ``WireRefusal``."""
    if exchange.headers.all("host") != [origin.partition("://")[2]]:
        raise WireRefusal("wire.bad-host")
    if exchange.headers.all("origin") not in ([], [origin]):
        raise WireRefusal("wire.bad-origin")
