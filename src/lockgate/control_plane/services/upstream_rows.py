"""The servers behind the gateway as operators see them. Never a secret, and no address with one."""

from typing import Literal

import msgspec

State = Literal["open", "idle", "failing", "withheld"]
"""``open``: connected; ``idle``: nobody needs it now; ``failing``: its last use or connection
failed; ``withheld``: a secret that it needs cannot be had."""


class ToolRow(msgspec.Struct, frozen=True):
    """A tool as it was last listed to somebody."""

    name: str
    says: str
    """Beginning of what its server says about it: not ours, and perhaps not true."""
    hash: str
    """Of its whole definition."""
    hold: str
    """Whose yes every call of it takes, by the catalogue; empty: nobody's."""


class _Upstream(msgspec.Struct, frozen=True):
    name: str
    kind: Literal["http", "stdio"]
    endpoint: str
    """Path at which clients reach it alone."""
    trust: str
    region: str
    data_classes: tuple[str, ...]
    sharing: str
    credential: str
    """As whom the gateway comes there: the mode."""
    state: State
    reason: str
    """Catalogue code of what fails, where it does."""
    links: int
    """Connections or programs that are open, of this worker."""
    running: int
    """Requests in flight over them."""


class UpstreamRow(_Upstream, frozen=True):
    eras: tuple[str, ...]
    """Of the protocol, as spoken over them."""
    tools: tuple[ToolRow, ...]
    """In the order of their names; those that nobody listed lately are not here."""


class UpstreamListed(_Upstream, frozen=True):
    """An upstream in a list."""

    tools: int
    """How many were listed lately."""


def listed(row: UpstreamRow) -> UpstreamListed:
    said = msgspec.structs.asdict(row)
    del said["eras"]
    return UpstreamListed(**{**said, "tools": len(row.tools)})
