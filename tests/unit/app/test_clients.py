import asyncio
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.asking import Asking
from lockgate.app.clients import Conversation, Streamed, Waiting
from lockgate.model import (
    Call,
    Effect,
    Envelope,
    Notice,
    Permit,
    Release,
    Reply,
    SendFailed,
    Verdict,
    combine,
)
from lockgate.pipeline.run import REVOKED, Refused
from lockgate.wire.jsonrpc import Id
from lockgate.wire.request import Request
from worlds import ALICE, CLINIC, call

FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
END = Refused("policy.denied", "c-1")
_YES = Verdict("policy.test", Effect.PERMIT, "policy.permitted")


def request(token: Id | None = None, **responses: Any) -> Request:
    said = orjson.dumps(responses) if responses else None
    return Request(
        "modern", "2026-07-28", 1, "tools/call", progress_token=token, responses=said, state="s"
    )


def released(method: str, params: bytes, level: str = "") -> Release:
    asked = msgspec.structs.replace(call(), envelope=Envelope(log_level=level))
    notice = Notice(asked, method, params)
    return Release(notice, combine(notice.digest, [_YES], required=frozenset({"policy.test"})))


def permit(key: str = "q1", params: Any = FORM) -> Permit:
    asked = Call(
        f"c-1.{key}", ALICE, "elicitation/create", CLINIC, "", orjson.dumps(params),
        envelope=Envelope(session="s-1"),
    )  # fmt: skip
    return Permit(asked, combine(asked.digest, [_YES], required=frozenset({"policy.test"})))


class Heard(list[Any]):
    def put(self, raw: bytes) -> None:
        self.append(orjson.loads(raw))


@pytest.mark.parametrize("token", ["mine", 2**60])
def test_progress_is_told_under_the_clients_own_token(token: Id) -> None:
    heard = Heard()
    client = Waiting(request(token), heard.put)
    client.deliver(released("notifications/progress", b'{"progressToken":9,"progress":1}'))
    assert [said["params"] for said in heard] == [{"progressToken": token, "progress": 1}]


def test_without_a_token_there_is_no_progress() -> None:
    heard = Heard()
    Waiting(request(), heard.put).deliver(released("notifications/progress", b'{"progress":1}'))
    assert heard == []


def test_log_messages_are_told_to_who_wants_them_that_severe() -> None:
    heard = Heard()
    client = Waiting(request(), heard.put)
    for wanted in ("", "error", "warning", "debug"):
        log = b'{"level":"warning","data":"%b"}' % wanted.encode()
        client.deliver(released("notifications/message", log, wanted))
    assert [said["params"]["data"] for said in heard] == ["warning", "debug"]


def test_only_notifications_are_delivered() -> None:
    heard = Heard()
    reply = Reply(call(), b"{}")
    said = Release(reply, combine(reply.digest, [_YES], required=frozenset({"policy.test"})))
    Waiting(request("t"), heard.put).deliver(said)
    assert heard == []


async def test_who_only_waits_can_be_asked_nothing() -> None:
    with pytest.raises(SendFailed, match=r"ask\.nobody"):
        await Waiting(request(), Heard().put).ask(permit())


async def test_a_legacy_client_is_asked_on_its_stream() -> None:
    heard, asking = Heard(), Asking("n1")
    client = Streamed(request(), heard.put, asking)
    asked = asyncio.ensure_future(client.ask(permit()))
    await asyncio.sleep(0)
    assert heard[0]["method"] == "elicitation/create"
    assert asking.open == 1
    asked.cancel()


class Talk:
    """A modern client's conversation about a call that asks as ``plan`` says."""

    def __init__(self, *keys: str, seconds: float = 10.0) -> None:
        self.heard = Heard()
        self.conversation = Conversation(request("t1"), self.heard.put, seconds)
        self.answers: dict[str, bytes] = {}
        self.task = self.conversation.begin(self._run(keys))

    async def _run(self, keys: tuple[str, ...]) -> Release | Refused:
        async with asyncio.TaskGroup() as asking:
            for key in keys:
                asking.create_task(self._ask(key))
        return END

    async def _ask(self, key: str) -> None:
        self.answers[key] = (await self.conversation.ask(permit(key))).raw

    async def next(self) -> Release | Refused | None:
        async with asyncio.timeout(5):
            return await self.conversation.next()

    async def again(self, **responses: Any) -> Release | Refused | None:
        self.conversation.resume(request("t2", **responses), self.heard.put)
        return await self.next()


async def test_a_call_that_asks_nothing_is_answered_at_once() -> None:
    talk = Talk()
    assert await talk.next() == END
    assert talk.conversation.questions == {}


async def test_questions_come_first_and_the_answer_when_they_are_answered() -> None:
    talk = Talk("q1")
    assert await talk.next() is None
    asked = talk.conversation.questions
    assert {key: (m, orjson.loads(p)) for key, (m, p) in asked.items()} == {
        "q1": ("elicitation/create", FORM)
    }
    assert await talk.again(q1={"action": "accept", "n": 1.0}) == END
    assert talk.answers == {"q1": b'{"action":"accept","n":1.0}'}


async def test_questions_go_out_without_what_is_the_upstreams_own() -> None:
    conversation = Conversation(request(), Heard().put)
    asking = asyncio.ensure_future(conversation.ask(permit(params=FORM | {"task": {}})))
    await asyncio.sleep(0)
    ((_, params),) = conversation.questions.values()
    assert orjson.loads(params) == FORM
    asking.cancel()


async def test_what_was_not_answered_is_asked_again() -> None:
    talk = Talk("q1", "q2")
    await talk.next()
    assert set(talk.conversation.questions) == {"q1", "q2"}
    assert await talk.again(q2={"action": "decline"}) is None
    assert set(talk.conversation.questions) == {"q1"}
    assert await talk.again() is None
    assert await talk.again(q1={"action": "accept"}) == END
    assert set(talk.answers) == {"q1", "q2"}


async def test_answers_nobody_asked_for_and_such_that_are_none_are_ignored() -> None:
    talk = Talk("q1")
    await talk.next()
    assert await talk.again(q9={"action": "accept"}, other=1) is None
    assert await talk.again(q1="yes") is None
    assert await talk.again(q1=["yes"]) is None
    assert set(talk.conversation.questions) == {"q1"}
    assert await talk.again(q1={"action": "cancel"}, q9={}) == END
    assert talk.answers == {"q1": b'{"action":"cancel"}'}


async def test_each_question_takes_one_answer() -> None:
    talk = Talk("q1", "q2")
    await talk.next()
    talk.conversation.resume(request(q1={"first": 1}), talk.heard.put)
    talk.conversation.resume(request(q1={"second": 1}), talk.heard.put)
    assert await talk.again(q2={}) == END
    assert talk.answers["q1"] == b'{"first":1}'


async def test_whoever_comes_again_is_told_what_happens_under_its_new_token() -> None:
    talk = Talk("q1")
    await talk.next()
    await talk.again()
    progress = released("notifications/progress", b'{"progress":1}')
    talk.conversation.deliver(progress)
    assert talk.heard[-1]["params"]["progressToken"] == "t2"


async def test_a_question_expires_and_the_call_is_told() -> None:
    conversation = Conversation(request(), Heard().put, seconds=0.01)

    async def run() -> Release | Refused:
        with pytest.raises(SendFailed) as failed:
            await conversation.ask(permit())
        return Refused(failed.value.reason, "c-1")

    running = conversation.begin(run())
    assert await conversation.next() is None
    async with asyncio.timeout(5):
        await asyncio.wait({running})
    assert await conversation.next() == Refused("ask.expired", "c-1")


async def test_a_client_that_leaves_ends_the_call() -> None:
    conversation = Conversation(request(), Heard().put)
    running = conversation.begin(_for_ever())
    waiting = asyncio.ensure_future(conversation.next())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_a_call_raises_is_raised_to_whoever_waits() -> None:
    async def fail() -> Release | Refused:
        raise ZeroDivisionError

    conversation = Conversation(request(), Heard().put)
    conversation.begin(fail())
    with pytest.raises(ZeroDivisionError):
        await conversation.next()


async def test_a_call_that_failed_before_its_client_came_again_is_heard_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> Release | Refused:
        raise ZeroDivisionError

    conversation = Conversation(request(), Heard().put)
    running = conversation.begin(fail())
    await asyncio.wait({running})
    conversation.cancel()
    await asyncio.sleep(0)
    assert "waited for its client failed" in caplog.text


async def _for_ever() -> Release | Refused:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_conversation_is_told_why_it_ends() -> None:
    began = asyncio.Event()
    told: list[tuple[str, ...]] = []

    async def runs() -> Refused:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as ended:
            told.append(ended.args)
            raise
        return END

    conversation = Conversation(request(), Heard().put)
    call = conversation.begin(runs())
    waiting = asyncio.ensure_future(conversation.next())
    await began.wait()
    waiting.cancel(REVOKED)
    await asyncio.wait({waiting, call})
    assert told == [(REVOKED,)]
