import pytest

from lockgate.inspection.shapes import ReplyShape
from lockgate.model import Call, Facts, Reply
from worlds import call, list_call

NONE = Facts({})
UNKNOWN = "reply.unknown-type"
NEEDS = "upstream.needs-input"


@pytest.mark.parametrize(
    ("asked", "raw", "reason"),
    [
        (call(), b'{"content":[],"x":1}', "inspection.clean"),
        (call(), b'{"content":{}}', "reply.shape"),
        (call(), b"3", "reply.shape"),
        (call(), b'{"content":[],"resultType":"input_required"}', "reply.shape"),
        (call(), b'{"resultType":"input_required","requestState":"s"}', "inspection.clean"),
        (call(), b'{"resultType":"input_required","inputRequests":[]}', "reply.shape"),
        (list_call(), b'{"resultType":"input_required","requestState":"s"}', NEEDS),
        (
            list_call("completion/complete"),
            b'{"resultType":"input_required","requestState":"s"}',
            NEEDS,
        ),
        (call(), b'{"content":[],"resultType":"task"}', "reply.unknown-type"),
        (list_call(), b'{"resultType":"task","taskId":"t","status":"working"}', UNKNOWN),
        (list_call("tasks/get"), b'{"resultType":"task","taskId":"","status":"working"}', UNKNOWN),
        (list_call("tasks/cancel"), b"{}", "inspection.clean"),
        (list_call("tasks/update"), b'{"resultType":"complete"}', "inspection.clean"),
        (list_call("tasks/update"), b'{"resultType":"other"}', UNKNOWN),
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
        ("elicitation/create", b'{"action":"accept","content":{"ok":true}}', "inspection.clean"),
        ("elicitation/create", b'{"action":"decline"}', "inspection.clean"),
        ("elicitation/create", b'{"action":"perhaps"}', "reply.shape"),
        ("elicitation/create", b'{"content":{"ok":true}}', "reply.shape"),
        ("elicitation/create", b'{"action":"accept","content":["ok"]}', "reply.shape"),
        ("elicitation/create", b'{"action":["accept"]}', "reply.shape"),
        ("sampling/createMessage", b'{"role":"assistant","content":{}}', "inspection.clean"),
        ("sampling/createMessage", b'{"role":"assistant","content":[]}', "inspection.clean"),
        ("sampling/createMessage", b'{"role":"assistant","content":"hi"}', "reply.shape"),
        ("sampling/createMessage", b'{"content":{}}', "reply.shape"),
        ("roots/list", b'{"roots":[]}', "inspection.clean"),
        ("roots/list", b'{"roots":{}}', "reply.shape"),
        ("roots/list", b'{"resultType":"input_required","requestState":"s"}', NEEDS),
        ("roots/list", b'{"roots":[],"resultType":"task"}', "reply.unknown-type"),
        ("roots/list", b"[]", "reply.shape"),
    ],
)
def test_a_clients_answer_has_the_shape_of_the_question(
    method: str, raw: bytes, reason: str
) -> None:
    assert ReplyShape().check(Reply(list_call(method), raw), NONE).reason == reason
