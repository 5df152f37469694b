"""Who asks, and where."""

import msgspec

from lockgate.model import Principal


class Endpoint(msgspec.Struct, frozen=True):
    """``/mcp`` over all upstreams, with names told apart, or ``/mcp/<upstream>`` with its own."""

    path: str
    upstreams: tuple[str, ...]
    prefixed: bool


class Caller(msgspec.Struct, frozen=True):
    """Who asks, where, and under which call id."""

    principal: Principal
    endpoint: Endpoint
    peer: str
    call: str
    session: str = ""
    """Id of the legacy session that is used; empty for modern clients."""
    log_level: str = ""
    """What that session has set."""
    streams: bool = True
    """More than the answer can be sent."""
