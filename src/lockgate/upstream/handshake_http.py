"""Agreeing on a version with a streamable HTTP endpoint, and on a session if it keeps one."""

import asyncio

import msgspec

from lockgate.model import SendFailed, Terms
from lockgate.model.call import EraName
from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.exchange import Answer
from lockgate.upstream.link import Peer
from lockgate.upstream.opening import (
    INITIALIZED,
    asks_for_discover,
    discover_params,
    initialize_params,
    read_discover,
    read_initialize,
)
from lockgate.wire import bridge, era_2025_11, era_2026_07, jsonrpc

SESSION = "Mcp-Session-Id"


class Opening(msgspec.Struct, frozen=True):
    """What was agreed when the link was opened."""

    peer: Peer
    session: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What every later message carries."""
        if self.peer.era == "modern":
            return {}
        said = era_2025_11.request_headers(self.peer.version)
        return {**said, SESSION: self.session} if self.session else said


async def agree(endpoint: Endpoint, terms: Terms, era: EraName | None, seconds: float) -> Opening:
    """``era``: where it is known already. Raises ``SendFailed``. What keeps us from reaching the
    endpoint says nothing about its era."""
    try:
        async with asyncio.timeout(seconds):
            peer = None if era == "legacy" else await _discover(endpoint, terms)
            return Opening(peer) if peer else await initialize(endpoint, terms)
    except TimeoutError:
        raise SendFailed("upstream.timeout", f"no agreement in {seconds:g} s") from None


async def _discover(endpoint: Endpoint, terms: Terms) -> Peer | None:
    params = discover_params(terms)
    headers = bridge.request_headers("modern", era_2026_07.VERSION, "server/discover", params)
    for again in (True, False):
        try:
            answer = await endpoint.ask(endpoint.new_id(), "server/discover", params, headers)
        except SendFailed as failure:
            if failure.reason == "upstream.garbage":
                return None
            raise
        check_served(answer)
        message = answer.message
        if again and message and asks_for_discover(message):
            continue  # It refused a version, and takes the one that we speak.
        return read_discover(message) if message else None
    return None


async def initialize(endpoint: Endpoint, terms: Terms) -> Opening:
    """The legacy handshake; the caller has the deadline. Raises ``SendFailed``."""
    number, params = endpoint.new_id(), initialize_params(terms)
    answer = await endpoint.ask(number, "initialize", params, {})
    check_served(answer)
    if answer.message is None:
        raise SendFailed("upstream.garbage", f"initialize answered with HTTP {answer.status} only")
    opened = Opening(read_initialize(answer.message), answer.session or "")
    await endpoint.tell(jsonrpc.encode_notification(INITIALIZED, b"{}"), opened.headers)
    return opened


def check_served(answer: Answer) -> None:
    """Raises ``SendFailed`` for what comes from before the MCP server, or instead of it."""
    status = answer.status
    if status in (401, 403):
        raise SendFailed("upstream.credential", f"HTTP {status}")
    if 300 <= status < 400:
        raise SendFailed("upstream.unreachable", f"HTTP {status}: redirects are not followed")
    if status >= 500 and answer.message is None:
        raise SendFailed("upstream.unreachable", f"HTTP {status}")
