"""Who may come in at ``/scim/v2``, and with how much: then the SCIM endpoint is asked."""

import asyncio
import hmac
import logging
import re
from collections.abc import Callable

import orjson

from lockgate.app.exchange import Application, Exchange, HeaderList
from lockgate.model import REASONS
from lockgate.wire.refusal import WireRefusal

log = logging.getLogger("lockgate.scim")

PREFIX = "/scim/v2"
SHORTEST_SECRET = 32
"""Characters. Nobody guesses that many, however often they may try."""
AT_ONCE = 4
"""Requests that are worked on at the same time; the others wait."""

_BEARER = re.compile(r"bearer +([!-~]+)", re.IGNORECASE)
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_JSON: HeaderList = ((b"content-type", b"application/scim+json"),)
_ASK: HeaderList = (*_JSON, (b"www-authenticate", b'Bearer realm="lockgate scim"'))


class ScimDoor:
    """``app``: the endpoint. ``secrets``: each of them opens the door. ``refused``: told the reason
    and the peer of each request that is not let in."""

    def __init__(
        self,
        app: Application,
        secrets: tuple[str, ...],
        scheme: str,
        refused: Callable[[str, str], None],
    ) -> None:
        self._app = app
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._scheme = scheme
        self._refused = refused
        self._room = asyncio.Semaphore(AT_ONCE)

    async def serve(self, exchange: Exchange, most: int, seconds: float) -> None:
        """``most``, ``seconds``: how large the body may be, and how long it may take."""
        try:
            self._check(exchange)
            body = await exchange.body(most, seconds)
        except WireRefusal as refused:
            log.info("SCIM request refused: %s", refused.reason)
            self._refused(refused.reason, exchange.peer)
            await _turn_away(exchange, refused.reason)
            return
        async with self._room:
            await exchange.hand_to(self._app, body, self._scheme)

    def _check(self, exchange: Exchange) -> None:
        """Raises ``WireRefusal``. Takes the same time for every wrong secret of one length."""
        sent = exchange.headers.all("authorization")
        if not sent:
            raise WireRefusal("auth.missing")
        bearer = _BEARER.fullmatch(sent[0])
        if len(sent) > 1 or bearer is None:
            raise WireRefusal("auth.malformed")
        shown = bearer[1].encode()
        if not any([hmac.compare_digest(shown, secret) for secret in self._secrets]):
            raise WireRefusal("auth.invalid")


def is_scim(path: str) -> bool:
    return path == PREFIX or path.startswith(f"{PREFIX}/")


async def _turn_away(exchange: Exchange, reason: str) -> None:
    """RFC 7644, 3.12."""
    known = REASONS[reason]
    body = {"schemas": [_ERROR], "status": str(known.http), "detail": known.says}
    headers = _ASK if known.http == 401 else _JSON
    await exchange.turn_away(known.http, orjson.dumps(body), headers)
