"""Tool calls that go on after their answer (SEP-2663): asked about, told more, cancelled.

Each request about a task is a call of its own. What its answer asks of the client is judged and
recorded as any question is, once: a task asks the same at every poll until it is answered.
"""

import hashlib
from collections import OrderedDict

import orjson

from lockgate.model import Call, Release, Reply
from lockgate.pipeline.asks import ask_of
from lockgate.pipeline.ports import Client
from lockgate.pipeline.rounds import hand_over
from lockgate.pipeline.run import Gate, Refused, run
from lockgate.wire.tasks import GET, questions

REMEMBERED = 10_000


class Handed:
    """Questions that were permitted and recorded before. Forgetting one costs another row."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, mark: bytes) -> bool:
        return mark in self._known

    def add(self, mark: bytes) -> None:
        self._known[mark] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)


async def follow(call: Call, gate: Gate, client: Client, handed: Handed) -> Release | Refused:
    """``run``; and whatever the task asks is permitted and on record before the client gets it.

    Raises as ``run`` does.
    """
    answer = await run(call, gate, client)
    said = answer.said if isinstance(answer, Release) else None
    if call.method != GET or not isinstance(said, Reply) or said.is_error:
        return answer
    asked = {
        _mark(call, key, method, params, gate.order.policy): (method, params)
        for key, (method, params) in questions(said.raw).items()
    }
    new = {mark: one for mark, one in asked.items() if mark not in handed}
    refused = await hand_over(call, new.values(), gate)
    if refused is not None:
        return refused
    for mark in new:
        handed.add(mark)
    return answer


def _mark(call: Call, key: str, method: str, params: bytes, policy: str) -> bytes:
    """Of one question of one task to one client, under one policy."""
    ask = ask_of(call, method, params, "modern", 0)
    said = [ask.digest, call.target, key, policy, ask.envelope.asks.decode()]
    return hashlib.sha256(orjson.dumps(said)).digest()
