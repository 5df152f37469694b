"""``lockgate_result``: what became of a call that waited for a person, by its handle.

A tool of the gateway's own, on every endpoint of a deployment in which people are asked. It takes
the way of every call (rate limit, journal, reply controls) but reaches no upstream: what stands in
for one looks the question up. See docs/adr/0012-lockgate-result.md.
"""

import msgspec
import orjson

from lockgate.approval.desk import Found
from lockgate.model import (
    REASONS,
    Call,
    Effect,
    Permit,
    Release,
    Reply,
    SendFailed,
    Tool,
    Upstream,
)
from lockgate.model.inquiry import LIVE
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.judge import judge
from lockgate.pipeline.keeping import kept_reply, moment
from lockgate.pipeline.order import own
from lockgate.pipeline.resolve import envelope_of
from lockgate.pipeline.run import SILENT, Gate, Refused, run
from lockgate.upstream.link import Hears
from lockgate.wire.held import META
from lockgate.wire.request import Request

NAME = "lockgate_result"
OURS = Upstream("lockgate.own", trust="trusted", sharing="shared")
"""No upstream can be registered by a name with a dot."""
_SCHEMA = orjson.dumps(
    {
        "type": "object",
        "properties": {
            "handle": {
                "type": "string",
                "maxLength": 128,
                "description": "The handle from the answer that said that a person must approve.",
            }
        },
        "required": ["handle"],
        "additionalProperties": False,
    }
)
DEFINITION = orjson.dumps(
    {
        "name": NAME,
        "title": "Result of an approved call",
        "description": "A call that a person must approve is not lost: once it is approved it runs "
        "by itself. This returns its result, or says that it still waits, runs, or was denied. "
        "It runs nothing.",
        "inputSchema": orjson.Fragment(_SCHEMA),
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }
)
TOOL = Tool(OURS.name, NAME, DEFINITION, _SCHEMA)


def is_asked(request: Request, gate: Gate) -> bool:
    return request.name == NAME and request.method == "tools/call" and gate.order.holds


async def look_up(request: Request, caller: Caller, gate: Gate) -> Release | Refused:
    """Raises ``JournalDown`` and ``StoreDown``."""
    call = Call(
        caller.call, caller.principal, request.method, OURS, NAME, request.params, TOOL,
        envelope_of(request, caller),
    )  # fmt: skip
    finding = _Finding(gate, caller)
    return await run(call, msgspec.structs.replace(gate, order=own(gate.order), sender=finding),
                     SILENT)  # fmt: skip


class _Finding:
    """Stands in for an upstream."""

    def __init__(self, gate: Gate, caller: Caller) -> None:
        self._gate = gate
        self._caller = caller

    async def send(self, permit: Permit, hears: Hears) -> Reply:  # noqa: ARG002 - nothing is heard
        """Raises ``SendFailed``: the same for another's handle as for one that nobody has."""
        call = permit.call
        found = await self._gate.desk.look(str(call.arguments["handle"]), call.principal)
        if found is None or found.call.upstream.name not in self._caller.endpoint.upstreams:
            raise SendFailed("approval.unknown-handle")
        if found.kept is None:
            return Reply(call, told(found))
        ran = msgspec.structs.replace(
            found.call, id=call.id, principal=call.principal, envelope=call.envelope,
            part_of=found.call.id,
        )  # fmt: skip
        await self._check(ran)
        return kept_reply(ran, found.kept, found.inquiry)

    async def _check(self, ran: Call) -> None:
        """Raises ``SendFailed`` where whoever asks may not make that call any more."""
        controls = self._gate.order.on_kept
        needs = frozenset(key for control in controls for key in control.needs)
        facts = await self._gate.gatherer.gather(ran, needs)
        decision = judge(controls, ran, facts)
        if decision.effect is Effect.DENY:
            raise SendFailed(decision.reason)


def told(found: Found) -> bytes:
    """A tool's result that says how the question stands; nothing of who is asked."""
    one, reason = found.inquiry, REASONS[found.reason]
    said = [reason.says, reason.remedy]
    if one.state == "pending":
        said = ["A person must approve this call first, and nobody has yet.",
                f"It waits until {moment(one.expires)}. Tell the user, and look again later with "
                "the same handle."]  # fmt: skip
    elif one.state == "approved" and one.on_retry:
        said = ["This call is approved.", "Make it again with identical arguments, and it runs."]
    elif one.state == "approved":
        said = ["This call is approved and about to run.", "Look again with the same handle."]
    if found.changes:
        changed = "; ".join(map(str, found.changes))
        said.insert(0, f"Somebody who was asked changed the arguments: {changed}.")
    text = f"{' '.join(filter(None, said))} [{reason.code} \u00b7 {one.call}]"
    state = {"handle": one.id, "state": one.state} | ({"parent": one.parent} if one.parent else {})
    return orjson.dumps(
        {
            "content": [{"type": "text", "text": text}],
            "isError": one.state not in (*LIVE, "used"),
            "_meta": {"lockgate/reason": reason.code, META: state},
        }
    )
