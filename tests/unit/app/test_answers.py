from typing import Any

import orjson
import pytest

from lockgate.app import answers
from lockgate.model import Call, Effect, Notice, Release, Reply, Verdict, combine
from lockgate.model.call import EraName
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.run import Refused
from lockgate.wire.jsonrpc import Id
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from worlds import ALICE, call, list_call

PLAIN = Endpoint("/mcp/clinic", ("clinic",), prefixed=False)
PREFIXED = Endpoint("/mcp", ("clinic",), prefixed=True)
CALLER = Caller(ALICE, PLAIN, "192.0.2.1", "c-1")
LINK = b'{"content":[{"type":"resource_link","uri":"file:///a"}]}'


def request(era: EraName = "modern", method: str = "tools/call", id: Id | None = 7) -> Request:
    return Request(era, "v", id, method)


def release(said: Reply | Notice) -> Release:
    yes = Verdict("policy.test", Effect.PERMIT, "policy.permitted")
    return Release(said, combine(said.digest, [yes], required=frozenset({"policy.test"})))


def told(answer: answers.Answer) -> Any:
    return orjson.loads(answer.body)


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_result_is_told_in_the_words_of_the_era(era: EraName) -> None:
    raw = b'{"content":[],"resultType":"complete","n":1.0}'
    answer = answers.released(request(era), release(Reply(call(), raw)), PLAIN)
    assert (answer.status, told(answer)["id"]) == (200, 7)
    assert ("resultType" in told(answer)["result"]) == (era == "modern")
    assert b'"n":1.0' in answer.body


@pytest.mark.parametrize(
    ("endpoint", "uri"), [(PLAIN, "file:///a"), (PREFIXED, "lockgate+clinic:file:///a")]
)
def test_names_are_those_of_the_endpoint(endpoint: Endpoint, uri: str) -> None:
    reply = Reply(call(), LINK)
    assert orjson.loads(answers.outer(reply, endpoint))["content"][0]["uri"] == uri
    answer = answers.released(request(), release(reply), endpoint)
    assert told(answer)["result"]["content"][0]["uri"] == uri


@pytest.mark.parametrize(
    ("era", "endpoint", "code", "uri"),
    [
        ("legacy", PLAIN, -32002, "a:b"),
        ("modern", PLAIN, -32602, "a:b"),
        ("modern", PREFIXED, -32602, "lockgate+clinic:a:b"),
    ],
)
def test_an_upstreams_error_is_told_with_a_code_of_the_era(
    era: EraName, endpoint: Endpoint, code: int, uri: str
) -> None:
    reading: Call = list_call("resources/read")
    error = b'{"code":-32002,"message":"gone","data":{"uri":"a:b"}}'
    said = release(Reply(reading, error, is_error=True))
    answer = answers.released(request(era, "resources/read"), said, endpoint)
    assert answer.status == 200
    assert told(answer)["error"] == {"code": code, "message": "gone", "data": {"uri": uri}}


def test_a_notification_is_no_answer_and_nobody_is_no_recipient() -> None:
    with pytest.raises(WireRefusal, match=r"pipeline\.failed"):
        answers.released(request(), release(Notice(call(), "notifications/message", b"{}")), PLAIN)
    with pytest.raises(WireRefusal, match=r"pipeline\.failed"):
        answers.released(request(id=None), release(Reply(call(), LINK)), PLAIN)
    assert answers.result(request(id=None), b"{}") == answers.Answer(202)


def test_a_refusal_tells_the_reason_and_the_wait_but_never_which_policy() -> None:
    why = Refused("quota.exceeded", "c-9", because=("secret-policy",), retry_after_ms=1_200)
    said = told(answers.refused(request(), why))["result"]
    assert said["isError"] is True
    assert said["_meta"]["lockgate/reason"] == "quota.exceeded"
    assert said["_meta"]["lockgate/retry_after_ms"] == 1_200
    assert b"secret-policy" not in answers.refused(request(), why).body
    other = told(answers.refused(request(method="prompts/get"), why))["error"]["data"]
    assert (other["reason"], other["call"], other["retry_after_ms"]) == (
        "quota.exceeded", "c-9", 1_200,
    )  # fmt: skip


def test_a_refusal_of_what_is_not_even_a_request_still_answers() -> None:
    answer = answers.refused(None, Refused("session.unknown", "c-9"))
    assert (answer.status, told(answer)["id"]) == (404, None)


@pytest.mark.parametrize(
    ("reason", "id", "status"),
    [
        ("wire.missing-meta", 7, 400),
        ("resolve.unknown-tool", 7, 200),
        ("cursor.invalid", None, 400),
    ],
)
def test_who_is_turned_away_learns_it_from_the_status_where_no_request_is_answered(
    reason: str, id: Id | None, status: int
) -> None:
    answer = answers.turned_away(WireRefusal(reason, id=id), request(), CALLER)
    assert (answer.status, told(answer)["id"]) == (status, id)
    assert told(answer)["error"]["data"]["reason"] == reason


@pytest.mark.parametrize(("in_session", "status"), [(True, 200), (False, 404)])
def test_before_it_is_read_a_message_is_of_its_sessions_era(in_session: bool, status: int) -> None:
    why = WireRefusal("wire.unknown-method", id=7)
    assert answers.turned_away(why, None, CALLER, in_session=in_session).status == status
