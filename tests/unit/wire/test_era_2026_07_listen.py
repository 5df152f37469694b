import orjson
import pytest

from lockgate.wire.era_2026_07_listen import Wanted, granted, listen_result, read_listen, tagged
from lockgate.wire.refusal import WireRefusal

ID = "io.modelcontextprotocol/subscriptionId"


def test_what_is_wanted_is_read_in_its_order_and_once() -> None:
    said = {"toolsListChanged": True, "promptsListChanged": False, "taskIds": [],
            "resourceSubscriptions": ["b:1", "a:1", "b:1"]}  # fmt: skip
    wanted = read_listen(orjson.dumps({"notifications": said}))
    assert wanted == Wanted(frozenset({"tools"}), ("b:1", "a:1"))
    assert orjson.loads(granted(wanted)) == {
        "notifications": {"toolsListChanged": True, "resourceSubscriptions": ["b:1", "a:1"]}
    }
    assert orjson.loads(granted(Wanted())) == {"notifications": {}}


def test_news_of_tasks_is_wanted_and_not_granted() -> None:
    wanted = read_listen(b'{"notifications":{"taskIds":["t"]}}')
    assert wanted.tasks
    assert orjson.loads(granted(wanted)) == {"notifications": {}}


@pytest.mark.parametrize(
    "said", [None, [], {"toolsListChanged": 1}, {"resourcesListChanged": None},
             {"resourceSubscriptions": "a:1"}, {"resourceSubscriptions": [1]}]
)  # fmt: skip
def test_what_nobody_can_mean_is_refused(said: object) -> None:
    with pytest.raises(WireRefusal, match="bad-params"):
        read_listen(orjson.dumps({"notifications": said}))
    with pytest.raises(WireRefusal, match="bad-params"):
        read_listen(b"{}")


@pytest.mark.parametrize("id", [7, "7", 2**70])
def test_events_and_the_end_carry_the_id_of_the_listen(id: int | str) -> None:
    rendered = str(id).encode() if isinstance(id, int) else b'"7"'
    assert b'"%b":%b' % (ID.encode(), rendered) in listen_result(id)
    assert listen_result(id).startswith(b'{"resultType":"complete"')
    told = tagged(b'{"uri":"a:1","_meta":{"x":1}}', id)
    assert told == b'{"uri":"a:1","_meta":{"x":1,"%b":%b}}' % (ID.encode(), rendered)
