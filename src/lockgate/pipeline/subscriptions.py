"""Subscriptions: each URI is authorised as a call, and what an upstream then tells is judged."""

from collections.abc import Mapping

import msgspec
import orjson

from lockgate.model import Call, Effect, Notice, Release, Reply
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.judge import judge
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import SILENT, Gate, Refused, run
from lockgate.upstream.link import Event
from lockgate.wire.methods import METHODS
from lockgate.wire.request import Request

SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
UPDATED = "notifications/resources/updated"


class Anchor(msgspec.Struct, frozen=True):
    """One subscription that was permitted. Whatever the upstream tells of it rests on ``call``."""

    call: Call
    outer: str
    """The URI as the client knows it."""

    @property
    def key(self) -> tuple[str, str]:
        return self.call.upstream.name, self.call.target


async def subscribe(
    request: Request, caller: Caller, resolver: Resolver, gate: Gate, *, part_of: str = ""
) -> Anchor | Release | Refused:
    """Ask the upstream to tell about ``request.name``; its error, where it answers with one.

    Raises ``WireRefusal`` with a ``resolve.`` reason, and ``JournalDown``.
    """
    call = await resolver.call_of(request, caller, gate)
    if part_of:
        call = msgspec.structs.replace(call, part_of=part_of)
    answer = await run(call, gate, SILENT)
    if isinstance(answer, Refused) or (isinstance(answer.said, Reply) and answer.said.is_error):
        return answer
    return Anchor(answer.said.call, request.name)


async def unsubscribe(anchor: Anchor, call_id: str, gate: Gate) -> Release | Refused:
    """Tell the upstream that nobody listens any more. Raises ``JournalDown``."""
    call = msgspec.structs.replace(
        anchor.call, id=call_id, method=UNSUBSCRIBE, params=_uri(anchor.call.target), part_of=""
    )
    return await run(call, gate, SILENT)


def about(request: Request, method: str, uri: str) -> Request:
    """The request of one of the two methods that ``request`` amounts to for this URI."""
    return msgspec.structs.replace(
        request, method=method, name=uri, names="uri", params=_uri(uri), rule=METHODS[method]
    )


async def judged(notice: Notice, gate: Gate) -> Release | None:
    """What was told outside of a running call, if it may be passed on."""
    order = gate.order.on_notice
    needs = frozenset(key for control in order for key in control.needs)
    facts = await gate.gatherer.gather(notice.call, needs)
    try:
        decision = judge(order, notice, facts)
    finally:
        gate.gatherer.settle(facts)
    return Release(notice, decision) if decision.effect is Effect.PERMIT else None


def updated(event: Event, anchors: Mapping[tuple[str, str], Anchor]) -> list[Anchor]:
    """The subscriptions that an update is about. It may name something below what was subscribed
    to (MCP 2025-11-25, Resources): whoever subscribed is told of that alone."""
    uri = event_uri(event)
    if uri is None:
        return []
    exact = anchors.get((event.upstream, uri))
    if exact is not None:
        return [exact]
    return [
        anchor
        for (upstream, above), anchor in anchors.items()
        if upstream == event.upstream and uri.startswith(above.rstrip("/") + "/")
    ]


def event_uri(event: Event) -> str | None:
    said = orjson.loads(event.params)
    uri = said.get("uri") if isinstance(said, dict) else None
    return uri if isinstance(uri, str) else None


def _uri(uri: str) -> bytes:
    return b'{"uri":%b}' % orjson.dumps(uri)
