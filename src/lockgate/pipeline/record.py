"""What the journal is told: pure, from what was judged and learnt. Header: no personal data."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
import orjson

from lockgate.model import (
    APPROVALS,
    QUOTA,
    Account,
    Approval,
    AuditEvent,
    Call,
    Decision,
    Effect,
    EventKind,
    Fact,
    Facts,
    Known,
    Obligation,
    Principal,
    Reply,
    Reservation,
    Slot,
    Tool,
    Verdict,
)
from lockgate.model.verdict import EFFECT_NAMES
from lockgate.pipeline.caller import Caller


class Stamp(msgspec.Struct, frozen=True):
    """What no pure code can make up: an id and the time, in milliseconds since the Unix epoch."""

    id: str
    at: int


def intent(
    stamp: Stamp,
    call: Call,
    decision: Decision,
    facts: Facts,
    policy: str,
    denied_cap: int = 16_384,
) -> AuditEvent:
    """The row that must be durable before anything is forwarded, permitted or not. ``policy``:
    hash of the policy set that decided; ``denied_cap``: bytes up to which the arguments of a denied
    call are kept whole, as nothing is done with them and anybody can send any number."""
    header = {
        **_about(call),
        "policy": policy,
        "verdicts": [_verdict(v) for v in decision.verdicts],
        "obligations": _plainly(decision.obligations),
        "facts": {key.name: _fact(key.name, fact) for key, fact in facts},
    }
    denied = decision.effect is Effect.DENY
    slots: dict[Slot, bytes] = {
        "actor": actor_slot(call.principal),
        "args": _capped(call.params, denied_cap) if denied else call.params,
        "net": net_slot(call),
    }
    return _event(stamp, "call.intent", call, decision.effect, decision.reason, header, slots)


def outcome(
    stamp: Stamp,
    call: Call,
    decision: Decision,
    reply: Reply,
    result_cap: int,
    approved: tuple[str, ...] = (),
) -> AuditEvent:
    """What the upstream answered and whether it was let out. ``approved``: ids of the questions
    that were said yes to, for which it was made."""
    header = {
        **_about(call),
        **_approved(approved),
        "verdicts": [_verdict(v) for v in decision.verdicts],
        "reply": {"digest": reply.digest, "bytes": len(reply.raw), "error": reply.is_error},
    }
    slots: dict[Slot, bytes] = {"result": _capped(reply.raw, result_cap)}
    return _event(stamp, "call.outcome", call, decision.effect, decision.reason, header, slots)


def failure(
    stamp: Stamp, call: Call, reason: str, detail: str, approved: tuple[str, ...] = ()
) -> AuditEvent:
    """A forwarded call that brought no answer back. ``approved``: see ``outcome``."""
    header = {**_about(call), **_approved(approved), "detail": detail}
    return _event(stamp, "call.outcome", call, Effect.DENY, reason, header, {})


def handed_over(stamp: Stamp, call: Call, reason: str) -> AuditEvent:
    """A question that went to the client inside another call's answer."""
    return _event(stamp, "call.outcome", call, Effect.PERMIT, reason, _about(call), {})


def refusal(stamp: Stamp, caller: Caller, method: str, reason: str, raw: bytes) -> AuditEvent:
    """A request that never became a call: malformed, unknown method, unknown name."""
    header = {"method": method, "endpoint": caller.endpoint.path}
    slots: dict[Slot, bytes] = {
        "actor": actor_slot(caller.principal),
        "args": raw,
        "net": orjson.dumps({"peer": caller.peer}),
    }
    return AuditEvent(
        stamp.id, caller.call, "call.refused", stamp.at, "deny", reason, header, slots
    )


def session(
    stamp: Stamp, kind: Literal["session.opened", "session.closed"], id: str, caller: Caller
) -> AuditEvent:
    """A session began or ended."""
    header = {"session": id, "endpoint": caller.endpoint.path}
    slots: dict[Slot, bytes] = {
        "actor": actor_slot(caller.principal),
        "net": orjson.dumps({"peer": caller.peer}),
    }
    return AuditEvent(stamp.id, caller.call, kind, stamp.at, "permit", kind, header, slots)


def account_connected(stamp: Stamp, account: Account, peer: str) -> AuditEvent:
    """A person connected an account of theirs, in a browser at ``peer``."""
    header = {"upstream": account.upstream, "issuer": account.issuer, "scopes": account.scopes}
    slots: dict[Slot, bytes] = {
        "actor": orjson.dumps({"principal": account.principal}),
        "net": orjson.dumps({"peer": peer}),
    }
    kind: EventKind = "account.connected"
    return AuditEvent(stamp.id, "", kind, stamp.at, "permit", kind, header, slots)


def tool_changed(stamp: Stamp, call: Call, tool: Tool, before: str) -> AuditEvent:
    """What ``call`` listed has a tool whose definition is not what it was: hash ``before``."""
    header = {
        "upstream": tool.upstream, "target": tool.name, "tool": tool.hash, "before": before,
    }  # fmt: skip
    kind: EventKind = "tool.changed"
    return AuditEvent(stamp.id, call.id, kind, stamp.at, "permit", kind, header)


def actor_slot(principal: Principal) -> bytes:
    return msgspec.json.encode(principal)


def net_slot(call: Call) -> bytes:
    return orjson.dumps({"peer": call.envelope.peer, "client": call.envelope.client})


def _event(
    stamp: Stamp,
    kind: EventKind,
    call: Call,
    effect: Effect,
    reason: str,
    header: Mapping[str, Any],
    slots: Mapping[Slot, bytes],
) -> AuditEvent:
    return AuditEvent(
        stamp.id, call.id, kind, stamp.at, EFFECT_NAMES[effect], reason, header, slots
    )


def _about(call: Call) -> dict[str, Any]:
    # A tool's name was listed by its upstream; any other target is the client's own words and can
    # name a person, so it stays in the args slot.
    return {
        "method": call.method,
        "upstream": call.upstream.name,
        "target": call.tool.name if call.tool else "",
        "digest": call.digest,
        "origin": call.origin,
        "tool": call.tool.hash if call.tool else "",
        "era": call.envelope.era,
        "endpoint": call.envelope.endpoint,
        **({"part_of": call.part_of} if call.part_of else {}),
    }


def _approved(ids: tuple[str, ...]) -> dict[str, Any]:
    return {"approved": list(ids)} if ids else {}


def _plainly(owed: tuple[Obligation, ...]) -> Any:
    return msgspec.to_builtins(owed) if owed else []


def _verdict(v: Verdict) -> dict[str, Any]:
    said: dict[str, Any] = {
        "control": v.control,
        "effect": EFFECT_NAMES[v.effect],
        "reason": v.reason,
    }
    if v.because:
        said["because"] = list(v.because)
    if v.factors:
        said["factors"] = list(v.factors)
    if v.findings:
        said["findings"] = msgspec.to_builtins(v.findings)
    return said


def _fact(name: str, fact: Fact[Any]) -> Any:
    if not isinstance(fact, Known):
        return {"unknown": fact.why}
    return {"known": _IMPERSONAL.get(name, msgspec.to_builtins)(fact.value)}


def _approval_ids(known: tuple[Approval, ...]) -> list[str]:
    return [approval.id for approval in known]


def _without_key(known: Reservation) -> dict[str, Any]:
    return {name: getattr(known, name) for name in _IMPERSONAL_FIELDS}


_IMPERSONAL_FIELDS = tuple(n for n in Reservation.__struct_fields__ if n != "key")
_IMPERSONAL: Mapping[str, Callable[[Any], Any]] = {
    APPROVALS.name: _approval_ids,
    QUOTA.name: _without_key,
}
"""Facts whose values name people, without the names: a header is kept for good."""


def _capped(raw: bytes, cap: int) -> bytes:
    if len(raw) <= cap:
        return raw
    kept = {"cut": True, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    return orjson.dumps(kept)
