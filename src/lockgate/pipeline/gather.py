"""Step 5: the I/O that controls may not do. Failure becomes ``Unknown``; it never raises."""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any

from lockgate.model import Call, Fact, FactKey, Facts, Known, Unknown
from lockgate.pipeline.ports import Source

_NOTHING = Facts({})


class Gatherer:
    """Learns what controls need, concurrently, under one deadline in seconds."""

    def __init__(self, sources: Mapping[FactKey[Any], Source], deadline: float) -> None:
        self._sources = dict(sources)
        self._deadline = deadline

    async def gather(
        self, call: Call, needs: frozenset[FactKey[Any]], before: Facts = _NOTHING
    ) -> Facts:
        """Facts for ``call``. What ``before`` holds stays, unless it was about another digest:
        a rewritten call must not reserve its place twice."""
        found: dict[FactKey[Any], Fact[Any]] = {k: f for k, f in before if not k.exact}
        waiting: dict[FactKey[Any], asyncio.Task[Any]] = {}
        for key in _in_order(needs):
            if key in found:
                continue
            fact = self._ask(key, call)
            if isinstance(fact, Known | Unknown):
                found[key] = fact
            else:
                waiting[key] = asyncio.ensure_future(_awaited(fact))
        if waiting:
            found |= await self._collect(waiting)
        return Facts(found)

    def settle(self, facts: Facts) -> None:
        """The call is over: give every reservation back to its source."""
        for key, fact in facts:
            if isinstance(fact, Known) and key in self._sources:
                self._sources[key].settle(fact.value)

    def _ask(self, key: FactKey[Any], call: Call) -> "Fact[Any] | Awaitable[Any]":
        source = self._sources.get(key)
        if source is None:
            return Unknown("no source")
        try:
            answer = source.learn(call)
        except Exception as failure:  # noqa: BLE001 - gathering is a named place: all is Unknown
            return Unknown(type(failure).__name__)
        return answer if hasattr(answer, "__await__") else Known(answer)

    async def _collect(
        self, waiting: dict[FactKey[Any], asyncio.Task[Any]]
    ) -> dict[FactKey[Any], Fact[Any]]:
        try:
            await asyncio.wait(waiting.values(), timeout=self._deadline)
        finally:
            for task in waiting.values():
                task.cancel()
        return {key: _fact_of(task) for key, task in waiting.items()}


@lru_cache(maxsize=16)
def _in_order(needs: frozenset[FactKey[Any]]) -> tuple[FactKey[Any], ...]:
    """The same order in every run."""
    return tuple(sorted(needs, key=lambda key: key.name))


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _fact_of(task: "asyncio.Task[Any]") -> "Fact[Any]":
    if not task.done() or task.cancelled():
        return Unknown("deadline")
    failure = task.exception()
    return Unknown(type(failure).__name__) if failure else Known(task.result())
