import asyncio
from typing import Any

from lockgate.model import Call, FactKey, Known, StoreDown, Unknown
from lockgate.pipeline.gather import Gatherer
from worlds import call

ONE: FactKey[int] = FactKey("one")
TWO: FactKey[int] = FactKey("two", exact=True)


class Source:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0
        self.settled: list[Any] = []

    def learn(self, call: Call) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer

    def settle(self, value: Any) -> None:
        self.settled.append(value)


async def soon() -> int:
    await asyncio.sleep(0)
    return 2


async def never() -> int:
    await asyncio.Event().wait()
    return 0


async def broken() -> int:
    raise StoreDown("secret detail")


def gatherer(one: Source, two: Source, deadline: float = 5.0) -> Gatherer:
    return Gatherer({ONE: one, TWO: two}, deadline)


async def test_facts_are_gathered_from_plain_and_awaited_answers() -> None:
    facts = await gatherer(Source(1), Source(soon)).gather(call(), frozenset({ONE, TWO}))
    assert (facts.get(ONE), facts.get(TWO)) == (Known(1), Known(2))


async def test_whatever_fails_is_unknown_and_says_no_more_than_its_kind() -> None:
    for answer in (StoreDown("secret detail"), broken, ZeroDivisionError()):
        facts = await gatherer(Source(answer), Source(2)).gather(call(), frozenset({ONE, TWO}))
        one = facts.get(ONE)
        assert isinstance(one, Unknown)
        assert "secret" not in one.why
        assert facts.get(TWO) == Known(2)


async def test_a_source_that_never_answers_is_unknown_at_the_deadline() -> None:
    facts = await gatherer(Source(never), Source(2), 0.01).gather(call(), frozenset({ONE}))
    assert facts.get(ONE) == Unknown("deadline")


async def test_a_fact_without_a_source_is_unknown() -> None:
    facts = await Gatherer({}, 1.0).gather(call(), frozenset({ONE}))
    assert isinstance(facts.get(ONE), Unknown)


async def test_a_rewritten_call_keeps_its_place_and_asks_anew_what_is_exact() -> None:
    one, two = Source(1), Source(2)
    collector = gatherer(one, two)
    first = await collector.gather(call(), frozenset({ONE, TWO}))
    await collector.gather(call(x=1), frozenset({ONE, TWO}), first)
    assert (one.asked, two.asked) == (1, 2)


async def test_what_was_reserved_is_settled_once_and_the_unknown_is_not() -> None:
    one, two = Source(1), Source(StoreDown("x"))
    collector = gatherer(one, two)
    collector.settle(await collector.gather(call(), frozenset({ONE, TWO})))
    assert (one.settled, two.settled) == ([1], [])


async def test_a_cancelled_gathering_leaves_no_task_behind() -> None:
    task = asyncio.ensure_future(
        gatherer(Source(never), Source(never)).gather(call(), frozenset({ONE, TWO}))
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
