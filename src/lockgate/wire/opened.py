"""What an upstream says about itself when we open it, by either handshake."""

import msgspec
import orjson

from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal


class Opened(msgspec.Struct, frozen=True):
    version: str
    capabilities: bytes
    server_info: bytes
    instructions: str = ""


def read(result: bytes, version: str, server_info: bytes | None) -> Opened:
    """The part that ``initialize`` and ``server/discover`` have in common.

    Raises ``WireRefusal("upstream.garbage")`` where there are no capabilities.
    """
    found = edit.members(result)
    capabilities = found.get("capabilities")
    if capabilities is None or not edit.is_object(capabilities):
        raise WireRefusal("upstream.garbage", "no capabilities in its opening result")
    told = found.get("instructions")
    text = orjson.loads(told) if told is not None else ""
    return Opened(
        version,
        capabilities,
        server_info if server_info is not None and edit.is_object(server_info) else b"{}",
        text if isinstance(text, str) else "",
    )
