"""Letting somebody else answer, for a time: each is on record, and ends by itself."""

import re

import orjson
from msgspec.structs import replace

from lockgate.control_plane.services.approvals import Approvals
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent
from lockgate.model.inquiry import Delegation

DAY_MS = 24 * 60 * 60_000
LONGEST_MS = 30 * DAY_MS
_IDENTITY = re.compile(r"(oidc|os):[^\s:][^\s]{0,255}")


class Delegations:
    """``approvals``: as whoever lends. Raises ``Refused`` and ``StoreDown``.

    What is lent is what the giver has when it is used, and is not lent on: see
    ``approval.approvers``.
    """

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def give(self, to: str, ends: int, factor: str = "", *, away: bool = False) -> Delegation:
        """``ends``: milliseconds since the epoch; ``factor``: only this one; ``away``: the giver is
        not asked meanwhile."""
        mine, now = self._approvals.actor.identity, self._approvals.now_ms()
        if _IDENTITY.fullmatch(to) is None:
            raise Refused(f"{to} names nobody.", "Write oidc:SUBJECT or os:ACCOUNT.")
        if self._approvals.approvers.same(mine, to):
            raise Refused("That is you.", "Name somebody else.")
        if not now < ends <= now + LONGEST_MS:
            raise Refused("It ends within 30 days, and not in the past.", "Choose another time.")
        if not self._approvals.approvers.may_lend(mine, factor):
            what = f"for {factor}" if factor else "at all"
            raise Refused(f"You are not asked {what}, so there is nothing to lend.")
        id = self._approvals.random_bytes(8).hex()
        alias = self._approvals.actor.alias
        one = Delegation(id, mine, to, now, ends, factor, away, mine, alias=alias)
        self._record("delegated", one)
        self._approvals.store.delegate(one)
        return one

    def list(self) -> tuple[Delegation, ...]:
        """Those that count now, soonest over first."""
        now = self._approvals.now_ms()
        found = (one for one in self._approvals.store.delegations() if one.active(now))
        return tuple(sorted(found, key=lambda one: (one.ends, one.id)))

    def end(self, id: str) -> Delegation:
        """By either of the two, or by who may stop anything."""
        found = next((one for one in self.list() if one.id == id), None)
        if found is None:
            raise Refused(f"There is no delegation {id} now.", "`lockgate approvals delegations`.")
        mine, approvers = self._approvals.actor.identity, self._approvals.approvers
        if mine not in (found.giver, found.taker) and not approvers.stops(mine):
            raise Refused("This is not yours to end.")
        over = replace(found, revoked=self._approvals.now_ms())
        self._record("undelegated", over)
        self._approvals.store.delegate(over)
        return over

    def _record(self, step: str, one: Delegation) -> None:
        people = {"giver": one.giver, "taker": one.taker}
        event = AuditEvent(
            id=self._approvals.random_bytes(16).hex(), call="", kind="approval.changed",
            at=self._approvals.now_ms(), effect="permit", reason="approval.changed",
            header={"action": f"approval.{step}", "target": one.id, "factor": one.factor,
                    "ends": one.ends, "away": one.away},
            slots={"actor": self._approvals.actor.told(), "subject": orjson.dumps(people)},
        )  # fmt: skip
        self._approvals.events.append((event,))
