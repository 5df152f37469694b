"""A call that takes several rounds: its upstream asks for input before it goes on (SEP-2322).

Whoever keeps a stream open is asked at once and the call goes on; to a modern client the questions
are handed over, and the call goes on when it comes again with the answers.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from lockgate.model import Call, Release, Reply
from lockgate.pipeline.asks import ask_of
from lockgate.pipeline.ports import Client
from lockgate.pipeline.run import Gate, Refused, admit, put_to_client, run
from lockgate.wire.capabilities import withheld
from lockgate.wire.rounds import Input, continue_with, is_input_required, read_input, responses_of

MOST_ROUNDS = 8


async def converse(call: Call, gate: Gate, client: Client) -> Release | Refused:
    """``run``, as often as the upstream asks for more. What a modern client gets may be a result
    that asks: see ``input_of``. Raises as ``run`` does."""
    turn = call
    for number in range(MOST_ROUNDS):
        answer = await run(turn, gate, client)
        asked = input_of(answer)
        if isinstance(answer, Refused) or asked is None:
            return _explained(answer, call)
        if call.envelope.era == "modern":
            return await hand_over(turn, asked.requests.values(), gate) or answer
        answers = await _ask_all(turn, asked, gate, client)
        if isinstance(answers, Refused):
            return answers
        params = continue_with(call.params, responses_of(answers), asked.state)
        turn = msgspec.structs.replace(
            call, id=f"{call.id}.r{number + 1}", params=params, part_of=call.part_of or call.id
        )
    return Refused("round.too-many", call.id)


def input_of(answer: Release | Refused) -> Input | None:
    """What an answer asks for; None where it is the end of the call."""
    said = answer.said if isinstance(answer, Release) else None
    if not isinstance(said, Reply) or said.is_error or not is_input_required(said.raw):
        return None
    return read_input(said.raw)


def _explained(answer: Release | Refused, call: Call) -> Release | Refused:
    """An upstream of the other era believes that the client lacks what it has declared."""
    said = answer.said if isinstance(answer, Release) else None
    wrong = isinstance(said, Reply) and said.is_error and withheld(said.raw, call.envelope.asks)
    return Refused("ask.other-era", call.id) if wrong else answer


async def hand_over(
    call: Call, questions: Iterable[tuple[str, bytes]], gate: Gate
) -> Refused | None:
    """Judge and record each question (method, raw params) that goes out in the answer to ``call``;
    one that may not be asked ends it. Raises ``JournalDown``."""
    for number, (method, params) in enumerate(questions, 1):
        ask = ask_of(call, method, params, "modern", number)
        refused = await admit(ask, gate, "ask.put")
        if refused is not None:
            return Refused("ask.refused", call.id, because=(refused.reason,), where=refused.reason)
    return None


async def _ask_all(
    call: Call, asked: Input, gate: Gate, client: Client
) -> Mapping[str, bytes] | Refused:
    asks = {
        key: ask_of(call, method, params, "modern", number)
        for number, (key, (method, params)) in enumerate(asked.requests.items(), 1)
    }
    said = await asyncio.gather(*(put_to_client(ask, gate, client) for ask in asks.values()))
    answers: dict[str, bytes] = {}
    for key, answer in zip(asks, said, strict=True):
        if isinstance(answer, Refused):
            return Refused("ask.refused", call.id, because=(answer.reason,), where=answer.reason)
        if not isinstance(answer.said, Reply) or answer.said.is_error:
            return Refused("ask.refused", call.id, where="the client answered with an error")
        answers[key] = answer.said.raw
    return answers
