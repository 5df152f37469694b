from collections.abc import Callable

import pytest

from lockgate.app.listener import Listener, of_session
from lockgate.app.upkeep import Upkeep
from lockgate.model import JournalDown, Permit, Reply, SendFailed, Session
from lockgate.pipeline.subscriptions import SUBSCRIBE, UNSUBSCRIBE
from lockgate.upstream.link import Hears
from support.scenario import Stage
from support.staged import Speaker, regate, stage_of

A, B, C = "file:///a", "file:///b", "file:///c"


class Upstream:
    """Takes subscriptions unless told to fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails = ""

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        self.asked.append((permit.call.method, permit.call.target))
        if self.fails:
            raise SendFailed(self.fails)
        return Reply(permit.call, b"{}")


def kept(*faults: str) -> tuple[Upkeep, Upstream, Callable[[], Listener]]:
    stage: Stage = stage_of(*faults)
    upstream, caller = Upstream(), Speaker(stage).caller()
    regate(stage, sender=upstream)
    listeners: list[Listener] = []

    def another() -> Listener:
        session = Session("s", caller.principal.holder, "/mcp/clinic", "2025-11-25", "", b"{}", 0)
        listeners.append(of_session(session, caller, lambda _: None))
        return listeners[-1]

    return Upkeep(lambda: stage.gateway.state, lambda _: listeners), upstream, another


def standing(listener: Listener) -> list[str]:
    return sorted(uri for _, uri in listener.anchors)


async def test_only_the_difference_is_asked_for() -> None:
    upkeep, upstream, another = kept()
    listener = another()
    await upkeep.match(listener, frozenset({A, B}))
    upstream.asked.clear()
    await upkeep.match(listener, frozenset({B, C}))
    assert sorted(upstream.asked) == [(SUBSCRIBE, C), (UNSUBSCRIBE, A)]
    assert standing(listener) == [B, C]


@pytest.mark.parametrize(("reason", "again"), [("upstream.timeout", True), ("ask.expired", False)])
async def test_what_could_not_be_decided_is_tried_again(reason: str, again: bool) -> None:
    upkeep, upstream, another = kept()
    listener = another()
    upstream.fails = reason
    await upkeep.match(listener, frozenset({A}))
    assert standing(listener) == []
    upstream.fails = ""
    await upkeep.match(listener, frozenset({A}))
    assert standing(listener) == ([A] if again else [])
    assert listener.again == frozenset()


async def test_what_another_still_wants_is_not_let_go() -> None:
    upkeep, upstream, another = kept()
    one, two = another(), another()
    for listener in (one, two):
        await upkeep.match(listener, frozenset({A}))
    anchors = list(one.anchors.values())
    one.anchors.clear()
    await upkeep.release(one.holder, anchors)
    assert (UNSUBSCRIBE, A) not in upstream.asked
    two.anchors.clear()
    await upkeep.release(one.holder, anchors)
    assert (UNSUBSCRIBE, A) in upstream.asked


async def test_what_cannot_be_recorded_is_not_asked_for() -> None:
    upkeep, upstream, another = kept("journal: down")
    with pytest.raises(JournalDown):
        await upkeep.renew(another(), [A], "c-1")
    assert upstream.asked == []
