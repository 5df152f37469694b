"""One client before one upstream, and what every probe is made of."""

from collections.abc import Iterator
from typing import Any

import mcp_types
import msgspec
from pydantic import BaseModel

from lockgate.model.call import EraName
from support.canary_client import Voice
from support.canary_house import House
from support.canary_messages import Json, planted, request_type, result_type
from support.canary_upstream import Peer, Plan
from support.canary_words import words_in

TOOL = "probe"
MIRRORED = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "R"}}}
_TAKEN_OUT = ("cursor", "inputResponses", "requestState", "task", "nextCursor", "elicitationId")
"""Members that are the gateway's own on one of its sides; they have probes of their own."""

_TOKEN = "/progressToken"
"""Between two peers, never passed on. Were it passed on, that would be a leak."""


class Cell(msgspec.Struct, frozen=True):
    """One client before one upstream."""

    house: House
    voice: Voice
    peer: Peer
    client: str
    upstream: str
    complaints: list[str]
    passed: set[tuple[str, str, str]]
    """What came out in one cell: label, client, upstream."""
    thorough: bool = True
    """Every kind of every union, not just one: once for each pair of eras."""

    def planted(self, side: str, label: str, kind: Any) -> list[Json]:
        every = planted(self.house.mint, side, label, kind)
        return list(every) if self.thorough else [next(every)]

    @property
    def era(self) -> EraName:
        return self.voice.era

    def check(self, label: str, said: Any, side: str) -> None:
        """All of a message that came out must have been shown to a control."""
        words = self.house.mint.of(side, words_in(said))
        out = self.house.out["upstream" if side == "client" else "client"]
        if not words & out:
            return
        self.passed.add((label, self.client, self.upstream))
        unseen = words - self.house.sight.all
        unseen = {w for w in unseen if not self.house.mint.made[w][1].endswith(_TOKEN)}
        if unseen:
            where = ", ".join(self.house.mint.places(unseen))
            self.complaints.append(f"{self.client} > {self.upstream}: not shown: {where}")


def standing(peer: Peer, house: House) -> Plan:
    """A plan with the answers that everything rests on."""
    plan = Plan()
    plan.results = dict(peer.plan.results)
    listed = {"tools": [{"name": TOOL, "inputSchema": MIRRORED}]}
    plan.results["tools/list"] = listed | complete(peer)
    plan.results["tools/call"] = {"content": [{"type": "text", "text": peer.word("text")}]}
    plan.results["tools/call"] |= complete(peer)
    return plan


async def ask(
    cell: Cell, method: str, params: Json, result: Json | None = None, error: Json | None = None
) -> None:
    if result is not None:
        cell.peer.plan.results[method] = result
    cell.peer.plan.error = error
    await cell.voice.request(method, params)
    cell.peer.plan.error = None
    cell.check(f"> {method}", params, "client")
    label = f"error {method}" if error is not None else f"< {method}"
    cell.check(label, result if error is None else error, "upstream")


def requests(cell: Cell, method: str) -> Iterator[Json]:
    for params in cell.planted("client", method, request_type(method, cell.era)):
        fixed = {"name": TOOL} if method == "tools/call" else {}
        yield {**without(params), **fixed}


def results(cell: Cell, method: str) -> Iterator[Json]:
    era = cell.peer.era
    try:
        kind: Any = result_type(method, era)
    except KeyError:
        kind = dict[str, Any]  # a method that this upstream's era does not have
    for result in cell.planted("upstream", method, kind):
        yield {**without(result), **complete(cell.peer)}


def without(said: Json) -> Json:
    return {key: value for key, value in said.items() if key not in _TAKEN_OUT}


def complete(peer: Peer) -> Json:
    return {"resultType": "complete"} if peer.era == "modern" else {}


def askable(params: Json) -> Json:
    found = without(params)
    return {**found, "url": f"https://{found['url']}"} if "url" in found else found


def input_of(cell: Cell, asked: dict[str, Json]) -> Json:
    kind: type[BaseModel] = mcp_types.InputRequiredResult
    base = next(planted(cell.house.mint, "upstream", "input", kind))
    requests = {cell.peer.word("key of a question"): {"method": method, "params": params}
                for method, params in asked.items()}  # fmt: skip
    state = {"requestState": cell.peer.word("requestState")}
    return {**base, "resultType": "input_required", "inputRequests": requests, **state}
