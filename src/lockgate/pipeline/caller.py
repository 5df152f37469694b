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
