import pytest

from lockgate.inspection.shapes import NoticeShape, ReplyShape
from lockgate.model import Call, Facts, Notice, Reply
from worlds import call, list_call

NONE = Facts({})


@pytest.mark.parametrize(
    ("asked", "raw", "reason"),
    [
        (call(), b'{"content":[],"x":1}', "inspection.clean"),
        (call(), b'{"content":{}}', "reply.shape"),
        (call(), b"3", "reply.shape"),
        (call(), b'{"content":[],"resultType":"input_required"}', "upstream.needs-input"),
        (call(), b'{"content":[],"resultType":"task"}', "reply.unknown-type"),
        (call(), b'{"content":[],"resultType":["complete"]}', "reply.unknown-type"),
        (list_call(), b'{"tools":[]}', "inspection.clean"),
        (list_call(), b'{"prompts":[]}', "reply.shape"),
        (list_call("prompts/get"), b'{"messages":[]}', "inspection.clean"),
        (list_call("resources/read"), b'{"contents":null}', "reply.shape"),
        (list_call("completion/complete"), b'{"completion":{}}', "inspection.clean"),
    ],
)
def test_a_result_has_the_shape_of_its_method(asked: Call, raw: bytes, reason: str) -> None:
    assert ReplyShape().check(Reply(asked, raw), NONE).reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"code":-32602,"message":"no","data":{"uri":"x"}}', "inspection.clean"),
        (b'{"code":true,"message":"no"}', "reply.shape"),
        (b'{"code":1}', "reply.shape"),
        (b"[]", "reply.shape"),
    ],
)
def test_an_error_is_an_error_object(raw: bytes, reason: str) -> None:
    assert ReplyShape().check(Reply(call(), raw, is_error=True), NONE).reason == reason


@pytest.mark.parametrize(
    ("method", "raw", "reason"),
    [
        ("notifications/progress", b'{"progress":1.5,"total":3,"message":"m"}', "inspection.clean"),
        ("notifications/progress", b'{"progress":true}', "reply.shape"),
        ("notifications/progress", b'{"progress":1,"message":7}', "reply.shape"),
        ("notifications/progress", b"[]", "reply.shape"),
        ("notifications/progress", b'{"progress":1,"x":"' + b"y" * 5_000 + b'"}', "reply.shape"),
        ("notifications/message", b'{"progress":1}', "reply.shape"),
    ],
)
def test_only_short_progress_passes(method: str, raw: bytes, reason: str) -> None:
    assert NoticeShape().check(Notice(call(), method, raw), NONE).reason == reason
