import pytest

from lockgate.inspection.notices import NoticeShape
from lockgate.model import Facts, Notice
from worlds import call, list_call

NONE = Facts({})


@pytest.mark.parametrize(
    ("method", "raw", "reason"),
    [
        ("notifications/progress", b'{"progress":1.5,"total":3,"message":"m"}', "inspection.clean"),
        ("notifications/progress", b'{"progress":true}', "reply.shape"),
        ("notifications/progress", b'{"progress":1,"message":7}', "reply.shape"),
        ("notifications/progress", b"[]", "reply.shape"),
        ("notifications/progress", b'{"progress":1,"x":"' + b"y" * 5_000 + b'"}', "reply.shape"),
        ("notifications/message", b'{"level":"info","data":[1]}', "inspection.clean"),
        (
            "notifications/message",
            b'{"level":"error","data":null,"logger":"l"}',
            "inspection.clean",
        ),
        ("notifications/message", b'{"level":"loud","data":1}', "reply.shape"),
        ("notifications/message", b'{"level":["info"],"data":1}', "reply.shape"),
        ("notifications/message", b'{"level":"info"}', "reply.shape"),
        ("notifications/message", b'{"level":"info","data":1,"logger":1}', "reply.shape"),
        (
            "notifications/message",
            b'{"level":"info","data":"' + b"y" * 20_000 + b'"}',
            "reply.shape",
        ),
        ("notifications/tools/list_changed", b"{}", "reply.shape"),
        ("notifications/elicitation/complete", b'{"elicitationId":"e"}', "reply.shape"),
        ("notifications/resources/updated", b'{"uri":"a:1"}', "reply.shape"),
    ],
)
def test_only_what_has_its_shape_passes(method: str, raw: bytes, reason: str) -> None:
    assert NoticeShape().check(Notice(call(), method, raw), NONE).reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b'{"uri":"a:1"}', "inspection.clean"), (b'{"uri":1}', "reply.shape"), (b"{}", "reply.shape")],
)
def test_an_update_passes_to_who_subscribed(raw: bytes, reason: str) -> None:
    notice = Notice(list_call("resources/subscribe"), "notifications/resources/updated", raw)
    assert NoticeShape().check(notice, NONE).reason == reason
