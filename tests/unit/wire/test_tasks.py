import orjson
import pytest

from lockgate.wire import tasks
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rounds import MOST_REQUESTS

HANDLE = b'{"resultType":"task", "taskId":"theirs","status":"working","ttlMs":1.0}'
ASK = b'{"method":"roots/list","params":{"n":1.0}}'


@pytest.mark.parametrize(
    ("raw", "handle"),
    [
        (HANDLE, True),
        (b'{"resultType":"complete","taskId":"t"}', False),
        (b'{"content":[{"text":"task"}]}', False),
        (b'{"content":[{"resultType":"task"}]}', False),
        (b"{}", False),
    ],
)
def test_a_handle_is_told_from_a_result(raw: bytes, handle: bool) -> None:
    assert tasks.is_task(raw) is handle


def test_our_id_stands_where_theirs_stood_and_every_other_byte_stays() -> None:
    assert tasks.with_id(HANDLE, 'o"') == HANDLE.replace(b'"theirs"', b'"o\\""')
    assert tasks.with_id(b'{"resultType":"complete"}', "o") == b'{"resultType":"complete"}'


def test_what_a_task_asks_keeps_its_bytes() -> None:
    raw = b'{"taskId":"t","inputRequests":{"a":%b}}' % ASK
    assert tasks.questions(raw) == {"a": ("roots/list", b'{"n":1.0}')}
    assert tasks.questions(HANDLE) == {}
    assert tasks.questions(b'{"inputRequests":{}}') == {}


@pytest.mark.parametrize(
    "asked",
    [b"[]", b"null", b'{"a":1}', b'{"a":{"method":"tools/call"}}',
     b"{%b}" % b",".join(b'"%d":%b' % (n, ASK) for n in range(MOST_REQUESTS + 1))],
    ids=["list", "null", "number", "method", "many"],
)  # fmt: skip
def test_what_no_specification_names_is_not_asked(asked: bytes) -> None:
    with pytest.raises(WireRefusal, match=r"reply\.shape"):
        tasks.questions(b'{"inputRequests":%b}' % asked)


def test_an_update_brings_answers() -> None:
    tasks.check_update(b'{"taskId":"t","inputResponses":{"a":{"action":"accept"}}}')
    many = orjson.dumps({"inputResponses": {str(n): {} for n in range(MOST_REQUESTS + 1)}})
    for params in (b"{}", b'{"inputResponses":[]}', b'{"inputResponses":null}', many):
        with pytest.raises(WireRefusal, match=r"wire\.bad-params"):
            tasks.check_update(params)


def test_who_does_not_declare_tasks_is_told_what_is_missing() -> None:
    told = tasks.not_declared()
    assert told.reason == "task.not-declared"
    assert told.data == {
        "requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
