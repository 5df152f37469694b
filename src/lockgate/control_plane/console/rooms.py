"""The rooms of the console: the one table. A new room is a line here, its routes in
``application.routes`` and a row for each in ``services.duties``."""

import msgspec

from lockgate.control_plane.console.pages import HOME
from lockgate.control_plane.services.duties import PAGES
from lockgate.model.privilege import AdminRole

CALLS, UPSTREAMS, KEYS = "/console/calls", "/console/upstreams", "/console/keys"
ROLES = "/console/roles"
APPROVALS = "/console/approvals"


class Room(msgspec.Struct, frozen=True):
    path: str
    label: str
    topics: frozenset[str] = frozenset()
    """What it shows, as ``changes.Changes`` names it: it is told when that changed."""
    pace: int = 1
    """Seconds between two looks at it, at least, while it keeps changing."""
    like: str = ""
    """What it shows takes the roles of that page; empty: its own."""

    def told_to(self, held: frozenset[AdminRole]) -> frozenset[str]:
        roles = PAGES[self.like or self.path].roles
        return self.topics if not roles or held.intersection(roles) else frozenset()

    def open_to(self, held: frozenset[AdminRole]) -> bool:
        """Whether these roles are enough to come in."""
        roles = PAGES[self.path].roles
        return not roles or bool(held.intersection(roles))


ROOMS = (
    Room(HOME, "Overview", frozenset({"journal"}), pace=5, like=CALLS),
    Room(APPROVALS, "Approvals", frozenset({"inquiry", "delegation"})),
    Room(CALLS, "Calls", frozenset({"journal"}), pace=2),
    Room(UPSTREAMS, "Upstreams", frozenset({"upstreams"})),
    Room(KEYS, "Keys", frozenset({"api_key", "person"})),
    Room(ROLES, "Roles", frozenset({"inquiry"})),
)


def room_at(path: str) -> Room | None:
    """The room that a page belongs to."""
    inside = (one for one in ROOMS if path == one.path or path.startswith(f"{one.path}/"))
    return next((one for one in inside if one.path != HOME or path == HOME), None)


def topics_for(held: frozenset[AdminRole]) -> frozenset[str]:
    """What whoever holds these roles may be told of."""
    return frozenset().union(*(one.told_to(held) for one in ROOMS))
