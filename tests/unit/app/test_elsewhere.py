import asyncio

import pytest

from lockgate.app.answers import Answer
from lockgate.app.asking import Put
from lockgate.app.elsewhere import Alone, Peered, carried, carry
from lockgate.app.incoming import Incoming
from lockgate.app.inflight import InFlight, Ticket
from lockgate.model import Principal
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.wire.headers import Headers
from lockgate.wire.refusal import WireRefusal
from support.crews import NODES, peers

ALICE = Principal(kind="person", subject="alice", roles=frozenset({"nurse"}), owner="alice")
CALLER = Caller(ALICE, Endpoint("/mcp", ("clinic",), True), "127.0.0.1", "call-1", "s1", "info")
HEADERS = Headers(
    [(b"Mcp-Session-Id", b"t"), (b"authorization", b"Bearer secret"), (b"mcp-name", b"a"),
     (b"mcp-name", b"\xe9")]
)  # fmt: skip
INCOMING = Incoming(b'{"jsonrpc":"2.0"}', HEADERS, CALLER)


class Gateway:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.inflight = InFlight()
        self.taken: list[Incoming] = []
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.hold = False

    async def handle(self, incoming: Incoming, put: Put) -> Answer:
        self.taken.append(incoming)
        self.inflight.enter(Ticket(incoming.caller.principal.holder, "s1", 7))
        put(b"notice")
        self.begun.set()
        try:
            if self.hold:
                await asyncio.Event().wait()
        finally:
            self.ended.set()
        return Answer(200, b"answer", "session")


def test_a_message_arrives_as_it_was_sent_without_its_credential() -> None:
    found = carried(carry(INCOMING))
    assert (found.raw, found.caller) == (INCOMING.raw, CALLER)
    assert found.headers.one("mcp-session-id") == "t"
    assert found.headers.all("mcp-name") == ["a", "é"]
    assert found.headers.one("authorization") is None
    assert found.headers.required
    assert not carried(carry(Incoming(b"", HEADERS.optional(), CALLER))).headers.required


async def test_a_message_is_answered_by_the_worker_it_belongs_to() -> None:
    here, there = Gateway(), Gateway()
    async with peers() as (first, second):
        elsewhere, _ = Peered(first, here), Peered(second, there)
        put: list[bytes] = []
        said = await elsewhere.handle(NODES[1], INCOMING, put.append)
        assert said == Answer(200, b"answer", "session")
        assert put == [b"notice"]
        assert there.taken[0].caller == CALLER
        assert not here.taken


async def test_a_worker_that_is_gone_takes_its_calls_with_it() -> None:
    async with peers() as (first, second):
        elsewhere = Peered(first, Gateway())
        await second.close()
        for node in (NODES[1], "another host.0"):
            with pytest.raises(WireRefusal) as refused:
                await elsewhere.handle(node, INCOMING, lambda _: None)
            assert refused.value.reason == "round.gone"


async def test_a_cancelled_call_is_cancelled_there() -> None:
    there = Gateway()
    there.hold = True
    async with peers() as (first, second):
        elsewhere, _ = Peered(first, Gateway()), Peered(second, there)
        waiting = asyncio.ensure_future(elsewhere.handle(NODES[1], INCOMING, lambda _: None))
        await there.begun.wait()
        assert there.inflight.running == 1, "the end of that worker waits for it"
        waiting.cancel()
        async with asyncio.timeout(5):
            await there.ended.wait()


async def test_a_call_is_cancelled_wherever_it_runs() -> None:
    there = Gateway()
    there.hold = True
    async with peers() as (first, second):
        elsewhere, _ = Peered(first, Gateway()), Peered(second, there)
        running = asyncio.ensure_future(there.handle(INCOMING, lambda _: None))
        await there.begun.wait()
        elsewhere.cancel(Ticket(ALICE.holder, "s1", 7))
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_worker_that_is_alone_has_nobody_to_ask() -> None:
    with pytest.raises(WireRefusal, match=r"round\.gone"):
        await Alone().handle("host.1", INCOMING, lambda _: None)
    Alone().cancel(Ticket("a", "s", 1))
