"""A question to other people, and what became of it: calls, and everything else that takes a second
person. Times are in milliseconds since the Unix epoch."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lockgate.model.approval import Binding, Scope

InquiryKind = Literal["call", "grant", "role", "catalogue"]
"""What is asked for. A new kind is a subject of this engine, not another engine."""

InquiryState = Literal[
    "pending", "approved", "denied", "vetoed", "expired", "cancelled", "superseded",
    "revoked", "used", "succeeded", "failed",
]  # fmt: skip
LIVE: frozenset[InquiryState] = frozenset({"pending", "approved"})
ENTITY = "entity "
"""Before the pointer of an argument, in ``Inquiry.tool``: its value follows."""
FAILED_MS = 60_000
DONE: frozenset[InquiryState] = frozenset({"succeeded", "failed"})
LEASE_MS = 10_000
"""How long a worker that was not heard of again is believed to be at work on one."""

Asker = Literal["holder", "agent"]
"""Whose earlier questions are looked for."""

Answer = Literal["yes", "no", "veto"]
"""``no``: somebody who was asked says no. ``veto``: somebody who may stop anything does."""


Via = Literal["console", "cli", "api", "scim", "ldap", "departure", "back-channel logout"]
"""By which way somebody, or a part that acts by itself, does something."""


class Need(msgspec.Struct, frozen=True):
    """How many people of one factor must say yes."""

    factor: str
    count: int = 1


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """One question. It holds no arguments: those are kept sealed beside it."""

    id: str
    """Unguessable."""
    kind: InquiryKind
    digest: str
    """What is said yes or no to. A vote names it, so that nobody votes on what they did not see."""
    title: str
    """What it is about, in names that Lockgate knows: ``clinic/update_prescription``. Never words
    of a model."""
    holder: str
    """Id of whoever asks: ``Principal.id``, or an administrator's identity."""
    agent: str = ""
    excluded: tuple[str, ...] = ()
    """Names of everybody who may not say yes: who asks, who owns the agent, who acts for them, who
    wrote what is asked for."""
    needs: tuple[Need, ...]
    created: int
    since: int = 0
    """When whoever asks was let in, where that was before: what somebody edited is no new call of
    theirs."""
    expires: int
    """While pending: until when it may be answered. Once approved: until when it may be used."""
    window: int
    """How long it may be used once approved, in milliseconds."""
    binding: Binding | None = None
    """Of a call or grant."""
    scope: Scope | None = None
    """Of a grant."""
    uses: int = 1
    """How often it may still be used."""
    call: str = ""
    """Id of the call that asked."""
    tool: Mapping[str, str] = {}
    """Of a call or grant: ``upstream``, ``target``, ``entity`` (what a relation is about)."""
    on_retry: bool = False
    """It is carried out when its client comes again, not by the gateway."""
    parent: str = ""
    """The question whose arguments somebody edited into this one."""
    state: InquiryState = "pending"
    reason: str = ""
    """How it ended, as a reason code or in short words of ours."""
    decided: int = 0
    ended_by: str = ""
    """Identity of who took it back."""
    used: int = 0
    node: str = ""
    """Worker that carries it out, or set about it."""
    lease: int = 0
    """Until when that worker is believed to be at work on it: it says so again while it is."""
    ended: int = 0
    kept_until: int = 0
    """How long its sealed arguments and result are kept."""
    version: int = 1
    """Goes up by one with each change, so that of two at the same time one is refused."""

    def at(self, now: int) -> "Inquiry":
        """As it is at that time: what nobody answered or used in time has expired."""
        if self.state in LIVE and now >= self.expires:
            over = {"reason": "approval.expired", "ended": self.expires}
            return msgspec.structs.replace(self, state="expired", **over)
        return self

    def stands(self, now: int) -> bool:
        """Whether whoever asks the same again gets this one: it is live, runs, or it is not long
        ago that it ran or that somebody said no. One that failed is told for a minute, so that
        nobody repeats it blindly; then it can be asked anew."""
        found = self.at(now)
        if found.state == "failed":
            return now < min(found.kept_until, found.ended + FAILED_MS)
        over = found.state in ("succeeded", "denied", "vetoed")
        return found.state in LIVE or found.state == "used" or (over and now < found.kept_until)

    def without_values(self) -> "Inquiry":
        """Once nothing of it is kept: what names the arguments of a call goes too. As it is while
        it is live."""
        if self.state in LIVE:
            return self
        named = {name: text for name, text in self.tool.items() if not name.startswith(ENTITY)}
        return msgspec.structs.replace(self, tool=named, scope=None)


class Vote(msgspec.Struct, frozen=True):
    """One person's answer. The last of a person counts; it is never taken out again."""

    inquiry: str
    voter: str
    """Identity: ``oidc:SUBJECT``, ``os:ACCOUNT``."""
    answer: Answer
    digest: str
    """Of what they saw."""
    at: int
    factors: tuple[str, ...] = ()
    """Whose yes theirs may count as."""
    by_delegation: str = ""
    """Identity of who let them answer."""
    via: Via = "console"
    note: str = ""
    alias: str = ""
    """What policy calls the voter, where that is another name."""


class Delegation(msgspec.Struct, frozen=True):
    """Somebody lets somebody else answer for them, for a time."""

    id: str
    giver: str
    """Identity, as in ``Vote.voter``; so are the others."""
    taker: str
    starts: int
    ends: int
    factor: str = ""
    """Only for this one; empty: for all."""
    away: bool = False
    """The giver is out of office: they are not asked meanwhile."""
    made_by: str = ""
    revoked: int = 0
    alias: str = ""
    """What policy calls the giver, where that is another name."""

    def active(self, now: int) -> bool:
        return self.starts <= now < self.ends and not self.revoked


class Asked(msgspec.Struct, frozen=True):
    """An inquiry with all that was said to it."""

    inquiry: Inquiry
    votes: tuple[Vote, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """What came of it, for whoever asked."""

    raw: bytes
    """JSON of the result or error."""
    is_error: bool = False


def plainly(one: Inquiry) -> dict[str, Any]:
    """For the journal's header: kept for good, and names no person."""
    return {
        "target": one.id, "kind": one.kind, "digest": one.digest, "state": one.state,
        "factors": [need.factor for need in one.needs], "expires": one.expires,
        "title": one.title, "why": one.reason,
    }  # fmt: skip
