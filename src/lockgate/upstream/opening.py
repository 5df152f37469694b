"""Agreeing on a version with an upstream (MCP 2026-07-28, "Versioning", era negotiation).

``server/discover`` first. What answers it with a ``DiscoverResult`` is modern. Almost anything else
means the legacy handshake: no single error code may be relied on.
"""

import re
from importlib.metadata import PackageNotFoundError, version
from typing import cast

import msgspec
import orjson

from lockgate.model import Envelope, SendFailed, Terms
from lockgate.model.call import EraName
from lockgate.upstream.link import Peer
from lockgate.upstream.target import Registered, Target
from lockgate.wire import edit, era_2025_11, era_2026_07, jsonrpc, versions
from lockgate.wire.capabilities import towards
from lockgate.wire.jsonrpc import Id, Message
from lockgate.wire.opened import Opened
from lockgate.wire.refusal import WireRefusal


def _our_version() -> str:
    try:
        return version("lockgate")
    except PackageNotFoundError:
        return "0"  # Run from a checkout that is not installed.


CLIENT_INFO = orjson.dumps({"name": "lockgate", "version": _our_version()})
INITIALIZED = "notifications/initialized"
NOBODY = Terms("")

_METHOD_NOT_FOUND = -32601
_UNSUPPORTED = -32022
_KNOWN_ONLY_TO_MODERN = (-32020, -32021)


def preferred_era(terms: Terms) -> EraName | None:
    """What to try first with an upstream that may speak both: sampling and roots pass within an
    era only, so whoever declared them and is legacy had better meet a legacy upstream."""
    deprecated = b'"sampling"' in terms.asks or b'"roots"' in terms.asks
    return "legacy" if terms.era == "legacy" and deprecated else None


class EraMemory:
    """Which era each upstream turned out to be of, so that its next start is not probed. With
    those who prefer an era it may be of another."""

    def __init__(self) -> None:
        self._eras: dict[tuple[str, EraName | None], tuple[Target, EraName]] = {}

    def recall(self, registered: Registered, terms: Terms = NOBODY) -> EraName | None:
        """None for an upstream never opened, or registered since under another address."""
        key = (registered.name, preferred_era(terms))
        target, era = self._eras.get(key, (None, None))
        return era if target == registered.target else None

    def learn(self, registered: Registered, era: EraName, terms: Terms = NOBODY) -> None:
        self._eras[registered.name, preferred_era(terms)] = (registered.target, era)

    def forget(self, name: str) -> None:
        for key in [key for key in self._eras if key[0] == name]:
            del self._eras[key]


def told(terms: Terms, era: EraName) -> bytes:
    """The capabilities that an upstream of this era is told: the client's, never our own."""
    return towards(terms.asks, cast("EraName", terms.era or era), era)


def speaking(terms: Terms) -> Envelope:
    """How we speak on a connection of our own accord: as the client would, and asking for nothing
    on the side."""
    return Envelope(era=cast("EraName", terms.era or "modern"), asks=terms.asks)


def discover_params(terms: Terms) -> bytes:
    return era_2026_07.request_params(
        b"{}", client_info=CLIENT_INFO, capabilities=told(terms, "modern")
    )


def initialize_params(terms: Terms) -> bytes:
    return era_2025_11.initialize_params(CLIENT_INFO, told(terms, "legacy"))


def refuse(id: Id, method: str) -> bytes:
    """The answer to an upstream's own request that is put to nobody."""
    if method == "ping":
        return jsonrpc.encode_result(id, b"{}")
    return jsonrpc.encode_error(id, _METHOD_NOT_FOUND, "Method not found")


def read_discover(answer: Message) -> Peer | None:
    """The peer, if the answer shows it to be modern. None: use ``initialize``.

    Raises ``SendFailed("upstream.garbage")`` when it says that we have no version in common.
    """
    if answer.error is not None:
        return _read_refusal(answer.error)
    result = answer.result or b"{}"
    try:
        return _peer("modern", era_2026_07.read_discover(result))
    except WireRefusal:
        _check_common(_texts(edit.get(result, "/supportedVersions")))
        return None


def read_initialize(answer: Message) -> Peer:
    """Raises ``SendFailed("upstream.garbage")`` for a refusal and for a version not ours."""
    if answer.error is not None:
        raise SendFailed("upstream.garbage", f"initialize refused with code {_code(answer.error)}")
    try:
        return _peer("legacy", era_2025_11.read_initialize(answer.result or b"{}"))
    except WireRefusal as refusal:
        raise SendFailed("upstream.garbage", refusal.detail) from None


def asks_for_discover(answer: Message) -> bool:
    """Whether this refusal of ``initialize`` is a modern server's. A program that starts slowly
    reads our probe late, is modern from then on, and takes no ``initialize`` after it."""
    error = answer.error or b"{}"
    code = orjson.loads(edit.get(error, "/code") or b"null")
    supported = _texts(edit.get(error, "/data/supported"))
    return code == _UNSUPPORTED and not set(versions.MODERN).isdisjoint(supported)


def _peer(era: EraName, opened: Opened) -> Peer:
    return Peer(era, **msgspec.structs.asdict(opened))


def _read_refusal(error: bytes) -> Peer | None:
    code = orjson.loads(edit.get(error, "/code") or b"null")
    if code in _KNOWN_ONLY_TO_MODERN:
        return Peer("modern", era_2026_07.VERSION)
    if code == _UNSUPPORTED:
        _check_common(_texts(edit.get(error, "/data/supported")))
    return None


def _check_common(said: list[str]) -> None:
    ours = {*versions.UPSTREAM_LEGACY, *versions.MODERN}
    if said and ours.isdisjoint(said):
        raise SendFailed("upstream.garbage", f"speaks only {_shown(said[0])}")


def _code(error: bytes) -> str:
    return _shown((edit.get(error, "/code") or b"null").decode())


def _shown(text: str) -> str:
    """What an upstream chose, for a detail that operators and clients read: a version at most."""
    return re.sub(r"[^!-~]", "?", text[:40])


def _texts(raw: bytes | None) -> list[str]:
    found = orjson.loads(raw) if raw is not None else None
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
