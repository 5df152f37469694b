"""Calls that wait for a person, and an operator's yes to one of them.

Until approvers have a channel of their own, the operator of the deployment is the approver.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from lockgate.audit.ports import EventStore
from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Approval, AuditEvent, Binding

LONGEST_MINUTES = 24 * 60
GIVE = "approval.give"
LOOKED_AT = 5_000
"""Journal rows that ``waiting`` looks through, newest last."""


class ApprovalStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def give(self, given: Approval, call_digest: str) -> None: ...


class Held(msgspec.Struct, frozen=True):
    """A call that was held, as the journal tells it."""

    call: str
    at: int
    factor: str
    upstream: str
    tool: str
    actor: Mapping[str, Any]
    arguments: str
    """Raw JSON: what will be sent, exactly."""
    digest: str
    binding: Binding


class Approvals:
    """``events``: where held calls are found; ``acting``: as whoever says yes."""

    def __init__(self, store: ApprovalStore, events: EventStore, acting: Acting) -> None:
        self._store = store
        self._events = events
        self._acting = acting
        self._actor = acting.actor.account

    def waiting(self) -> tuple[Held, ...]:
        """Held calls among the latest journal rows that nobody has said yes to since, oldest first;
        of identical ones the last. Raises ``StoreDown``."""
        found: dict[str, Held] = {}
        for row in self._events.tail(LOOKED_AT):
            held = held_of(row.event)
            if held is not None:
                found.pop(held.binding.digest, None)
                found[held.binding.digest] = held
            elif row.event.header.get("action") == GIVE:
                found.pop(str(row.event.header["binding"]), None)
        return tuple(found.values())

    def give(self, call: str, minutes: int) -> tuple[Held, Approval]:
        """Say yes to exactly this call, once, within ``minutes``. Raises ``Refused``."""
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise Refused("An approval lasts from one minute to a day.", "Give --minutes 15.")
        rows = self._events.by_call(call)
        held = next((h for row in rows if (h := held_of(row.event)) is not None), None)
        if held is None:
            raise Refused(f"{call} is not a call that was held.", "`lockgate approvals list`.")
        theirs = {str(held.actor.get(who, "")).casefold() for who in ("subject", "owner")}
        mine = {self._actor.casefold(), self._actor.partition(" as ")[0].casefold()}
        if mine & theirs:
            raise Refused("Nobody approves their own call.", "Ask somebody else.")
        now = self._acting.now_ms()
        given = Approval(
            id=self._acting.new_id(),
            binding=held.binding.digest,
            factor=held.factor,
            approver=self._actor,
            expires=now + minutes * 60_000,
        )
        self._acting.record(self._event(held, given, now))
        self._store.give(given, held.digest)
        return held, given

    def _event(self, held: Held, given: Approval, now: int) -> AuditEvent:
        about = {"action": GIVE, "target": given.id, "binding": given.binding,
                 "factor": given.factor, "expires": given.expires}  # fmt: skip
        return self._acting.event(about, at=now, call=held.call)


def held_of(event: AuditEvent) -> Held | None:
    """None for a row that is not a held call's intent."""
    if event.kind != "call.intent" or event.effect != "hold":
        return None
    header = event.header
    factor = next((v["factor"] for v in header["verdicts"] if v.get("factor")), "")
    binding = Binding(header["digest"], header["tool"], header["policy"])
    return Held(
        call=event.call,
        at=event.at,
        factor=factor,
        upstream=header["upstream"],
        tool=header["target"],
        actor=json.loads(event.slots.get("actor", b"{}")),
        arguments=event.slots.get("args", b"{}").decode(),
        digest=header["digest"],
        binding=binding,
    )
