"""What the API takes and answers. Times are in milliseconds since the Unix epoch."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lockgate.control_plane.services.calls import CallRow
from lockgate.control_plane.services.key_rows import KeyRow
from lockgate.control_plane.services.upstream_rows import UpstreamListed
from lockgate.model.privilege import AdminRole

Text = Annotated[str, Meta(max_length=256)]
Limit = Annotated[int, Meta(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str, Meta(max_length=64, description="`next` of the answer before.")]
Next = Annotated[str | None, Meta(description="Go on with this cursor; null: these were the last.")]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class CallsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    principal: Annotated[Text, Meta(description="Subject of whoever called.")] = ""
    upstream: Annotated[Text, Meta(description="Name of an upstream.")] = ""
    tool: Annotated[Text, Meta(description="Name of a tool, as its upstream calls it.")] = ""
    decision: Annotated[
        Literal["", "permit", "hold", "deny"], Meta(description="What the call came to.")
    ] = ""
    reason: Annotated[Text, Meta(description="A code of docs/reasons.md.")] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class KeysQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    state: Annotated[
        Literal["valid", "all"], Meta(description="`all`: also revoked and expired keys.")
    ] = "valid"
    limit: Limit = 50
    cursor: Cursor = ""


class Session(msgspec.Struct, frozen=True):
    """Who is signed in, and what changing requests need."""

    identity: str
    name: str
    roles: tuple[AdminRole, ...]
    """Held now."""
    expires: int
    token: str
    """For the header X-Lockgate-Token; good for as long as this session has its id."""


class ApprovalsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    state: Annotated[
        Literal["waiting", "mine", "past"],
        Meta(description="`mine`: what the visitor can answer now."),
    ] = "waiting"
    limit: Limit = 50


class ApprovalVote(msgspec.Struct, frozen=True):
    who: str
    said: str
    at: int
    factors: tuple[str, ...]
    by_delegation: str
    note: str


class ApprovalRow(msgspec.Struct, frozen=True):
    """One question that takes other people."""

    id: str
    kind: str
    what: str
    who: str
    agent: str
    state: str
    why: str
    asked: int
    until: int
    digest: str
    call: str
    missing: dict[str, int]
    """Yeses that are still needed, by factor."""
    mine: tuple[str, ...]
    """Factors that the visitor may speak for."""


class ApprovalList(msgspec.Struct, frozen=True):
    """Waiting ones oldest first, past ones newest first."""

    items: tuple[ApprovalRow, ...]


class Approval(msgspec.Struct, frozen=True):
    question: ApprovalRow
    votes: tuple[ApprovalVote, ...]
    arguments: str | None
    """Raw JSON, as it will be sent; null where it is not for the visitor, or kept no more."""
    facts: dict[str, str]
    """Of what is no call: what is asked for."""


class ApprovalAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``digest``: of what was seen; an answer to anything else is refused."""

    digest: Annotated[str, Meta(max_length=128)]
    answer: Literal["yes", "no", "veto"]
    note: Annotated[str, Meta(max_length=500)] = ""


class Upstreams(msgspec.Struct, frozen=True):
    items: tuple[UpstreamListed, ...]


class CallList(msgspec.Struct, frozen=True):
    """Newest first. A page may be empty and still have a next one: each looks at so many rows."""

    items: tuple[CallRow, ...]
    next: Next


class KeyList(msgspec.Struct, frozen=True):
    """Newest first."""

    items: tuple[KeyRow, ...]
    next: Next


class Role(msgspec.Struct, frozen=True):
    """A role that somebody holds, or asked for."""

    id: str
    role: AdminRole
    holder: str
    reason: str
    asked: int
    expires: int
    granted_by: tuple[str, ...]


class Roles(msgspec.Struct, frozen=True):
    """As the visitor may see them."""

    held: tuple[Role, ...]
    """By the visitor, now."""
    asked: tuple[Role, ...]
    """By the visitor, and not answered yet."""
    waiting: tuple[Role, ...]
    """Requests of others that the visitor may answer."""
