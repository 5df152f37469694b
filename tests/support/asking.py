"""Upstreams of either era that ask, before the gateway of a ``Stage``, and clients who answer."""

import asyncio
from typing import Any

import orjson

from lockgate.model import REASONS, Call, Permit, Principal, Reply
from lockgate.model.call import EraName
from lockgate.upstream.link import Hears, LinkReply
from support.scenario import Stage
from support.staged import Said, Speaker, regate, rows

Json = dict[str, Any]

FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
YES = {"action": "accept", "content": {"ok": True}}
DONE = {"content": [{"type": "text", "text": "done"}]}
PATIENT = {"name": "get_patient", "arguments": {"patient_id": "p-1"}}
ELICITS: Json = {"elicitation": {}}
EVERYTHING: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
STATE = 'their own "\u00e9" state'
NO_ASKING = 'permit(principal, action in [Action::"tools/call", Action::"list"], resource);'


class Legacy:
    """A server of the older era: asks over its open connection while its tool runs."""

    def __init__(self, stage: Stage, *asks: tuple[str, Json], era: EraName = "legacy") -> None:
        self.asks = asks or (("elicitation/create", FORM),)
        self.said: list[LinkReply] = []
        self.calls: list[Call] = []
        self.ended = asyncio.Event()
        self._era = era
        self._stage = stage
        regate(stage, sender=self)

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        if call.method == "tools/list":
            return await self._stage.simulated.send(permit, hears)
        self.calls.append(call)
        try:
            asking = [hears.ask(m, orjson.dumps(params), self._era) for m, params in self.asks]
            self.said += await asyncio.gather(*asking)
        finally:
            self.ended.set()
        return Reply(call, orjson.dumps(DONE))

    @property
    def told(self) -> list[str]:
        """What came back: an action, or the reason of a refusal."""
        said = [(one.is_error, orjson.loads(one.raw)) for one in self.said]
        return [_code(one["message"]) if bad else one.get("action", "") for bad, one in said]


class Modern:
    """A server of the present era: answers with questions, and is called again."""

    def __init__(self, stage: Stage, *results: Json) -> None:
        self.results = list(results)
        self.calls: list[Call] = []
        self._stage = stage
        regate(stage, sender=self)

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        if call.method == "tools/list":
            return await self._stage.simulated.send(permit, hears)
        self.calls.append(call)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return Reply(call, orjson.dumps(result))

    def got(self, number: int = -1) -> Json:
        found: Json = orjson.loads(self.calls[number].params)
        return found


def _code(text: str) -> str:
    return next(code for code, one in REASONS.items() if one.says == text)


def asking(state: str | None = STATE, **requests: Any) -> Json:
    said: Json = {"resultType": "input_required", "inputRequests": requests}
    return said if state is None else said | {"requestState": state}


SURE = {"method": "elicitation/create", "params": FORM}


async def legacy_client(stage: Stage, can: Json = ELICITS, who: Principal | None = None) -> Speaker:
    speaker = Speaker(stage, who=who, capabilities=can)
    await speaker.open()
    return speaker


def modern_client(stage: Stage, can: Json = ELICITS, who: Principal | None = None) -> Speaker:
    return Speaker(stage, who=who, capabilities=can)


def again(asked: Said, responses: Any = None, **more: Any) -> Json:
    answers = {} if responses is None else {"inputResponses": responses}
    return {**PATIENT, "requestState": asked.result["requestState"], **answers, **more}


def keys(asked: Said) -> list[str]:
    assert asked.result["resultType"] == "input_required", asked.body
    return list(asked.result["inputRequests"])


async def reasons(stage: Stage, kind: str, suffix: str = "") -> list[str]:
    return [r.reason for r in await rows(stage) if r.kind == kind and r.call.endswith(suffix)]
