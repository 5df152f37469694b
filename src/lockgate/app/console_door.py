"""How requests get to the console: under its own name only. It is no way around the gate."""

from lockgate.app.exchange import Application, Exchange
from lockgate.wire.refusal import WireRefusal

FORM_BYTES = 65_536
"""Largest form."""


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
