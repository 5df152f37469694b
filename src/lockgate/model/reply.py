"""What an upstream answered."""

import hashlib
from typing import Any

import msgspec
import orjson

from lockgate.model.call import Call
from lockgate.model.tool import Tool


class Reply(msgspec.Struct, frozen=True):
    """The upstream's answer to ``call``: a raw JSON-RPC ``result`` or ``error``, nothing lost."""

    call: Call
    raw: bytes
    is_error: bool = False
    """``raw`` is a JSON-RPC error object. A tool's own failure (``isError``) is a result."""
    digest: str = ""
    decoded: Any = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "decoded", orjson.loads(self.raw))
        msgspec.structs.force_setattr(self, "digest", _digest(self))


class Notice(msgspec.Struct, frozen=True):
    """A notification the upstream sent while ``call`` ran. It carries text, so it is inspected."""

    call: Call
    method: str
    raw: bytes
    """Raw ``params``."""
    digest: str = ""
    decoded: Any = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "decoded", orjson.loads(self.raw))
        msgspec.structs.force_setattr(self, "digest", _digest(self))


class Item(msgspec.Struct, frozen=True):
    """One entry of a list, and where it stands in the result."""

    pointer: str
    """JSON pointer (RFC 6901) into the result."""
    name: str
    """Tool or prompt name, resource URI or URI template."""
    tool: Tool | None = None
    raw: bytes = b""
    """The entry as it came."""


class Catalogue(msgspec.Struct, frozen=True):
    """A list answer seen as what it lists, for the controls that judge lists."""

    reply: Reply
    items: tuple[Item, ...]

    @property
    def call(self) -> Call:
        return self.reply.call

    @property
    def digest(self) -> str:
        return self.reply.digest


def _digest(said: Reply | Notice) -> str:
    about = said.call.digest.encode()
    return hashlib.sha256(b"lockgate/reply/v1\0" + about + b"\0" + said.raw).hexdigest()
