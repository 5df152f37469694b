"""The other direction: what an upstream asks of the client while a call runs.

A server-to-client request is a call too. It is judged by the same controls, its intent is durable
before the client sees it, and the client's answer is judged before the upstream gets it.
"""

from collections.abc import Awaitable, Callable

import msgspec
import orjson

from lockgate.model import (
    REASONS,
    Call,
    Decision,
    Effect,
    Notice,
    Permit,
    Release,
    Reply,
    SendFailed,
)
from lockgate.model.call import EraName
from lockgate.model.reason import METHOD_NOT_FOUND
from lockgate.pipeline.ports import Client
from lockgate.upstream.link import Hears, LinkReply
from lockgate.wire.capabilities import towards
from lockgate.wire.methods import ASKS

MOST_ASKS = 32
"""Questions one call may put to its client."""

Answered = Release | str
"""The client's answer, or the reason why there is none."""


class Silent:
    """The client of Lockgate's own calls, and of those that may be asked nothing."""

    def deliver(self, release: Release) -> None:
        """Notifications are advisory."""

    async def ask(self, permit: Permit) -> Reply:
        raise SendFailed("ask.nobody", permit.call.method)


class ToClient:
    """A ``Sender`` whose other side is the client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(self, permit: Permit, hears: Hears) -> Reply:  # noqa: ARG002 - nothing is heard
        return await self._client.ask(permit)


class Hearing:
    """What is heard of an upstream while ``call`` runs, judged before it reaches the client."""

    def __init__(
        self,
        call: Call,
        client: Client,
        judged: Callable[[Notice], Decision],
        put: Callable[[Call], Awaitable[Answered]],
    ) -> None:
        self._call = call
        self._client = client
        self._judged = judged
        self._put = put
        self._asked = 0

    def note(self, method: str, params: bytes) -> None:
        notice = Notice(self._call, method, params)
        decision = self._judged(notice)
        if decision.effect is Effect.PERMIT:
            self._client.deliver(Release(notice, decision))

    async def ask(self, method: str, params: bytes, era: EraName) -> LinkReply:
        if method not in ASKS:
            return refused_ask("ask.unknown-method", METHOD_NOT_FOUND)
        if self._asked == MOST_ASKS:
            return refused_ask("ask.too-many")
        self._asked += 1
        answer = await self._put(ask_of(self._call, method, params, era, self._asked))
        if isinstance(answer, str):
            return refused_ask(answer)
        said = answer.said
        return LinkReply(said.raw, isinstance(said, Reply) and said.is_error)


def ask_of(call: Call, method: str, params: bytes, era: EraName, number: int) -> Call:
    """The call in the other direction: its principal is asked, by its upstream of that ``era``."""
    said = call.envelope
    return Call(
        f"{call.id}.q{number}",
        call.principal,
        method,
        call.upstream,
        "",
        params,
        envelope=msgspec.structs.replace(
            said, era=era, asks=towards(said.asks, said.era, era), progress=False
        ),
        part_of=call.part_of or call.id,
    )


def refused_ask(reason: str, code: int | None = None) -> LinkReply:
    """What the upstream is told. It learns the reason's text, nothing of policy or people."""
    found = REASONS[reason]
    said = {"code": found.rpc if code is None else code, "message": found.says}
    return LinkReply(orjson.dumps(said), is_error=True)
