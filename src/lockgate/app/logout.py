"""Where issuers tell us that somebody signed out (OpenID Connect Back-Channel Logout 1.0)."""

import logging
from urllib.parse import parse_qs

from lockgate.app.exchange import Exchange
from lockgate.control_plane.services.logouts import Logouts
from lockgate.identity.jwt import LONGEST, NotAccepted
from lockgate.identity.key_sets import KeysUnknown
from lockgate.model import EventRefused, StoreDown
from lockgate.wire.refusal import WireRefusal

log = logging.getLogger("lockgate.logout")

PATH = "/oauth/backchannel-logout"
_MOST_BYTES = 2 * LONGEST
_SECONDS = 10.0
_DONE = ((b"cache-control", b"no-store"),)


class Logout:
    def __init__(self, logouts: Logouts) -> None:
        self._logouts = logouts

    async def answer(self, exchange: Exchange) -> None:
        """Known in this worker when it is answered, in the others within two seconds. Raises
        ``WireRefusal``."""
        if exchange.method != "POST":
            raise WireRefusal("wire.bad-http-method")
        body = await exchange.body(_MOST_BYTES, _SECONDS)
        said = _sent(body)
        try:
            await self._logouts.take(said[0], exchange.peer)
        except NotAccepted as why:
            log.info("logout token refused: %s", why)
            raise WireRefusal("auth.logout") from None
        except (KeysUnknown, StoreDown, EventRefused) as why:
            log.warning("a logout could not be taken: %s", why)
            raise WireRefusal("auth.unknown") from None
        await exchange.answer(200, b"", _DONE)


def _sent(body: bytes) -> list[str]:
    """The one logout token of a form. Raises ``WireRefusal``."""
    try:
        said = parse_qs(body.decode("latin-1"), max_num_fields=8).get("logout_token", [])
    except ValueError:  # more fields than any issuer sends
        said = []
    if len(said) != 1:
        raise WireRefusal("auth.logout")
    return said
