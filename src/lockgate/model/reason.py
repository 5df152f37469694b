"""What a reason is. All of them are in ``reasons``."""

import msgspec

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
PARSE_ERROR = -32700
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
REFUSED = -31000
"""Lockgate's own refusals that are not tool results. Outside the range JSON-RPC reserves."""


class Uncatalogued(Exception):
    """A reason code that this file does not list."""


class Reason(msgspec.Struct, frozen=True):
    code: str
    says: str
    remedy: str = ""
    rpc: int = REFUSED
    http: int = 200
    """HTTP status where the refusal is the whole answer to a POST."""
