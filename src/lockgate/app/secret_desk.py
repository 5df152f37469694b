"""What ``lockgate secrets`` works on: one deployment's secrets, and a way to try them."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
import orjson

from lockgate.app.registering import register
from lockgate.app.secret_places import uses_of
from lockgate.app.settings import Settings
from lockgate.app.stores import secret_backends, stores_of
from lockgate.control_plane.services.secret_status import Outcome, Proof, SecretDesk
from lockgate.model import SYSTEM, SendFailed, Terms
from lockgate.model.reason import METHOD_NOT_FOUND
from lockgate.model.reference import Place, Reference, ReferenceBroken
from lockgate.model.secret import SecretBackend
from lockgate.upstream.connect import Connector
from lockgate.upstream.link import LinkReply
from lockgate.upstream.opening import speaking
from lockgate.upstream.target import Registered

SECONDS = 15.0
"""For one probe."""
_TERMS = Terms(SYSTEM.id)


@contextmanager
def secret_desk(settings: Settings) -> Iterator[SecretDesk]:
    """Makes the stores where they do not exist. Raises ``StoreDown``."""
    stores, backends = stores_of(settings), secret_backends(settings)
    try:
        prober = UpstreamProber(settings, backends)
        yield SecretDesk(uses_of(settings), backends, stores.ledger, stores.events, prober,
                         settings.secrets.max_age)  # fmt: skip
    finally:
        stores.engine.dispose()


class UpstreamProber:
    """Opens a link of its own, past every pool, and lists the tools over it."""

    def __init__(self, settings: Settings, backends: Mapping[Place, SecretBackend]) -> None:
        self._settings = settings
        self._backends = backends

    def probe(self, upstream: str, reference: Reference, value: str) -> Proof:
        one = self._settings.upstreams[upstream]
        if one.url is None:
            return Proof(upstream, "unproven", "a program: that it starts proves nothing")

        def read(other: Reference) -> str:
            if other.bare == reference.bare:
                return value
            return self._backends[other.place].read(other).value

        try:
            registered = register(upstream, one, self._settings, read)
        except ReferenceBroken as broken:
            return Proof(upstream, "unreachable", str(broken))
        outcome, detail = asyncio.run(_ask(registered))
        return Proof(upstream, outcome, detail)


async def _ask(registered: Registered) -> tuple[Outcome, str]:
    bounds = msgspec.structs.replace(
        registered.bounds, call_seconds=SECONDS, connect_seconds=SECONDS
    )
    connector = Connector()
    try:
        async with asyncio.timeout(SECONDS):
            link = await connector(msgspec.structs.replace(registered, bounds=bounds), _TERMS)
            try:
                reply = await link.request("tools/list", b"{}", envelope=speaking(_TERMS))
            finally:
                await link.close()
    except SendFailed as failure:
        refused = failure.reason == "upstream.credential"
        return "refused" if refused else "unreachable", failure.detail or failure.reason
    except TimeoutError:
        return "unreachable", f"no answer in {SECONDS:g} s"
    finally:
        await connector.close()
    return _taken(reply)


def _taken(reply: LinkReply) -> tuple[Outcome, str]:
    """A server without tools has taken the credential too. What it says is not repeated."""
    code = orjson.loads(reply.raw).get("code") if reply.is_error else None
    if code not in (None, METHOD_NOT_FOUND):
        return "unproven", f"it answered with error {code}"
    return "accepted", ""
