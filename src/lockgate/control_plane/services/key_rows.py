"""API keys as lists of them show them: everything but the key and its hash."""

from collections.abc import Iterable, Sequence, Set
from typing import Literal, Protocol

import msgspec

from lockgate.control_plane.services.keys import State, state_of
from lockgate.control_plane.services.people import inactive_names
from lockgate.model import KeyRecord, Person


class PeopleRead(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def people(self) -> Sequence[Person]: ...


class KeyRow(msgspec.Struct, frozen=True):
    """Times are in milliseconds since the Unix epoch."""

    id: str
    kind: Literal["personal", "service"]
    owner: str
    subject: str
    agent: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    state: State
    created: int
    expires: int
    used: int
    """When it was last accepted, up to a minute old; 0: never."""
    successor: str


class KeyRows(msgspec.Struct, frozen=True):
    items: tuple[KeyRow, ...]
    after: str
    """Go on after this id; empty: these were the last."""


def key_rows(
    records: Iterable[KeyRecord], people: PeopleRead, now: int, *, everything: bool
) -> tuple[KeyRow, ...]:
    """Newest first. ``everything``: also those that are revoked or expired."""
    leavers = inactive_names(people.people())
    rows = (key_row(one, now, leavers) for one in records)
    wanted = [one for one in rows if everything or one.state in ("active", "inactive")]
    return tuple(sorted(wanted, key=lambda one: (-one.created, one.id)))


def key_row(one: KeyRecord, now: int, leavers: Set[str] = frozenset()) -> KeyRow:
    return KeyRow(
        one.id, one.kind, one.owner, one.subject, one.agent, tuple(sorted(one.roles)),
        tuple(sorted(one.scopes)), one.networks, state_of(one, now, frozenset(leavers)),
        one.created, one.expires, one.used, one.successor,
    )  # fmt: skip


def paged(rows: Sequence[KeyRow], after: str, limit: int) -> KeyRows:
    """Those that follow ``after`` (all where it is empty, none where it is unknown)."""
    start = 0
    if after:
        start = next((n + 1 for n, one in enumerate(rows) if one.id == after), len(rows))
    found = tuple(rows[start : start + limit])
    return KeyRows(found, found[-1].id if start + limit < len(rows) else "")
