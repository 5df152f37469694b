"""A tool as its upstream defines it."""

import hashlib

import msgspec

from lockgate.model.canonical import canonical


class Tool(msgspec.Struct, frozen=True):
    """A tool definition, exactly as received. A changed ``hash`` is a different tool."""

    upstream: str
    name: str
    raw: bytes
    """The definition's JSON as the upstream sent it."""
    schema: bytes
    """Its ``inputSchema``, as received."""
    hash: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "hash", definition_hash(self.raw))


def definition_hash(raw: bytes) -> str:
    """SHA-256 over the canonical form of everything the definition says, in hex.

    Everything counts, also unknown fields: a model reads whatever it is given.
    """
    return hashlib.sha256(b"lockgate/tool/v1\0" + canonical(raw)).hexdigest()
