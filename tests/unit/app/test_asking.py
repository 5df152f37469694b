import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from lockgate.app.asking import MOST_ELICITED, Asking, Elicited, node_of
from lockgate.model import (
    Call,
    Effect,
    Envelope,
    Permit,
    Reply,
    SendFailed,
    Terms,
    Verdict,
    combine,
)
from lockgate.upstream.link import Event
from lockgate.wire.jsonrpc import Message
from worlds import ALICE, CLINIC

BY_URL = {"mode": "url", "message": "m", "url": "https://x.example", "elicitationId": "theirs"}
FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}


def permit(method: str = "elicitation/create", params: Any = FORM, session: str = "s-1") -> Permit:
    envelope = Envelope(era="legacy", session=session)
    asked = Call("c.q1", ALICE, method, CLINIC, "", orjson.dumps(params), envelope=envelope)
    yes = Verdict("policy.test", Effect.PERMIT, "policy.permitted")
    return Permit(asked, combine(asked.digest, [yes], required=frozenset({"policy.test"})))


class Open:
    """One question that waits."""

    def __init__(self, asking: Asking, asked: Permit) -> None:
        self.said: list[Any] = []
        put: Callable[[bytes], None] = lambda raw: self.said.append(orjson.loads(raw))  # noqa: E731
        self.task = asyncio.ensure_future(asking.ask(asked, put))

    async def put(self) -> Any:
        await asyncio.sleep(0)
        return self.said[0]

    async def ended(self) -> Reply:
        async with asyncio.timeout(5):
            return await self.task


def response(id: Any, result: bytes | None = b"{}", error: bytes | None = None) -> Message:
    return Message("response", id, result=result, error=error)


async def test_a_question_goes_out_under_an_id_of_ours_and_its_answer_comes_back() -> None:
    asking = Asking("n1")
    one = Open(asking, permit(params=FORM | {"task": {"ttl": 1}}))
    asked = await one.put()
    assert (asked["jsonrpc"], asked["method"], asked["params"]) == (
        "2.0", "elicitation/create", FORM,
    )  # fmt: skip
    assert node_of(asked["id"]) == "n1"
    assert asking.open == 1
    assert asking.answer(response(asked["id"], b'{"action":"accept"}'), ALICE.holder, "s-1")
    reply = await one.ended()
    assert (reply.raw, reply.is_error) == (b'{"action":"accept"}', False)
    assert reply.call.id == "c.q1"
    assert asking.open == 0


async def test_an_elicitation_by_url_is_known_by_the_call_that_asks() -> None:
    asking = Asking("n1")
    one = Open(asking, permit(params=BY_URL))
    assert (await one.put())["params"]["elicitationId"] == "c.q1"
    one.task.cancel()


COMPLETE = "notifications/elicitation/complete"


def said(_: bytes) -> None:
    """A client that nothing is said to."""


async def test_its_end_is_told_once_under_the_id_that_its_client_knows() -> None:
    elicited, put = Elicited(), said
    elicited.note(permit(params=BY_URL).call, put)
    theirs = b'{"elicitationId":"theirs","more":1}'
    terms = Terms(ALICE.holder, "legacy", b"{}", "s-1")
    for other in (
        Event("clinic", terms, COMPLETE, b'{"elicitationId":"another"}'),
        Event("clinic", terms, COMPLETE), Event("bank", terms, COMPLETE, theirs),
        Event("clinic", Terms(ALICE.holder), COMPLETE, theirs),
        Event("clinic", Terms("person:bob", session="s-1"), COMPLETE, theirs),
    ):  # fmt: skip
        assert elicited.complete(other) is None
    event = Event("clinic", terms, COMPLETE, theirs)
    assert elicited.complete(event) == (b'{"elicitationId":"c.q1"}', put)
    assert elicited.complete(event) is None


def test_what_was_asked_otherwise_has_no_later_end_and_only_so_much_is_kept() -> None:
    elicited = Elicited()
    for params in (FORM, FORM | {"elicitationId": "e"}, {"mode": "url"}):
        elicited.note(permit(params=params).call, said)
    assert not elicited._asked
    for number in range(MOST_ELICITED + 5):
        elicited.note(permit(params=BY_URL | {"elicitationId": str(number)}).call, said)
    assert len(elicited._asked) == MOST_ELICITED


async def test_a_clients_error_is_its_answer() -> None:
    asking = Asking("n1")
    one = Open(asking, permit())
    error = b'{"code":-1,"message":"no"}'
    asking.answer(response((await one.put())["id"], None, error), ALICE.holder, "s-1")
    reply = await one.ended()
    assert (reply.raw, reply.is_error) == (error, True)


@pytest.mark.parametrize(
    ("holder", "session"),
    [("person:bob", "s-1"), (ALICE.holder, "s-2"), (ALICE.holder, ""), ("", "")],
)
async def test_only_the_session_that_was_asked_answers(holder: str, session: str) -> None:
    asking = Asking("n1")
    one = Open(asking, permit())
    id = (await one.put())["id"]
    assert not asking.answer(response(id), holder, session)
    assert not one.task.done()
    assert asking.answer(response(id, b'{"mine":1}'), ALICE.holder, "s-1")
    assert (await one.ended()).raw == b'{"mine":1}'


@pytest.mark.parametrize("id", ["lg.n1.made-up", "", "x", 7, None])
async def test_an_answer_to_nothing_that_was_asked_changes_nothing(id: Any) -> None:
    asking = Asking("n1")
    one = Open(asking, permit())
    await one.put()
    assert not asking.answer(response(id), ALICE.holder, "s-1")
    assert not one.task.done()
    one.task.cancel()


async def test_the_first_answer_counts_and_a_late_one_is_none() -> None:
    asking = Asking("n1")
    one = Open(asking, permit())
    id = (await one.put())["id"]
    for said in (b'{"first":1}', b'{"second":1}'):
        asking.answer(response(id, said), ALICE.holder, "s-1")
    assert (await one.ended()).raw == b'{"first":1}'
    assert not asking.answer(response(id), ALICE.holder, "s-1")


async def test_nobody_waits_for_ever() -> None:
    asking = Asking("n1", seconds=0.01)
    one = Open(asking, permit())
    id = (await one.put())["id"]
    with pytest.raises(SendFailed) as failed:
        await one.ended()
    assert failed.value.reason == "ask.expired"
    assert one.said[1] == {
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id},
    }  # fmt: skip
    assert asking.open == 0


async def test_a_question_is_taken_back_when_the_call_is_cancelled() -> None:
    asking = Asking("n1")
    one = Open(asking, permit())
    id = (await one.put())["id"]
    one.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one.ended()
    assert one.said[1]["params"] == {"requestId": id}
    assert asking.open == 0
    assert not asking.answer(response(id), ALICE.holder, "s-1")


async def test_ids_are_never_used_twice_and_cannot_be_guessed() -> None:
    asking = Asking("n1")
    many = [Open(asking, permit()) for _ in range(50)]
    ids = {(await one.put())["id"] for one in many}
    assert len(ids) == 50
    assert min(map(len, ids)) >= len("lg.n1.") + 16
    for one in many:
        one.task.cancel()


@pytest.mark.parametrize(
    ("id", "node"),
    [("lg.n1.abc", "n1"), ("lg.a.b.abc", "a.b"), ("lg..abc", ""), ("x.n1.abc", ""), (7, ""),
     (None, "")],
)  # fmt: skip
def test_an_id_says_who_asked(id: object, node: str) -> None:
    assert node_of(id) == node
