"""A registered MCP server."""

from typing import Literal

import msgspec

Trust = Literal["untrusted", "internal", "trusted"]
Sharing = Literal["principal", "shared"]


class Upstream(msgspec.Struct, frozen=True):
    """What policy may know about an MCP server behind us. How to reach it stays in its room."""

    name: str
    trust: Trust = "untrusted"
    region: str = ""
    data_classes: frozenset[str] = frozenset()
    sharing: Sharing = "principal"
    """``principal``: a session or process for each principal. ``shared``: one for all of them."""
    fingerprint: str = ""
    """Hash of how it is reached: the same name at another address is another upstream."""
