"""One message on its way in."""

import msgspec

from lockgate.pipeline.caller import Caller
from lockgate.wire.headers import Headers


class Incoming(msgspec.Struct, frozen=True):
    """One POSTed message before it is read. ``headers`` are optional ones where the transport has
    none of MCP's own (stdio)."""

    raw: bytes
    headers: Headers
    caller: Caller
