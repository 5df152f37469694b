import orjson
import pytest

from lockgate.model import Obligation, Reply
from lockgate.pipeline.lists import catalogue_of
from lockgate.pipeline.obligations import CONDITIONAL, reshape, rewrite
from worlds import call, list_call

TOOLS = b'{"tools":[{"name":"a","inputSchema":{},"v":1.0},{"name":"b","inputSchema":{}}]}'


def test_dropping_an_argument_makes_a_new_call_once() -> None:
    asked = call(a=1, b=2)
    owed = (Obligation("drop", "/arguments/b"),)
    changed = rewrite(asked, owed)
    assert changed.arguments == {"a": 1}
    assert rewrite(changed, owed) is changed


def test_nothing_to_drop_is_the_same_call() -> None:
    asked = call(a=1)
    assert rewrite(asked, (Obligation("drop", "/arguments/z"),)) is asked


def test_hidden_entries_go_and_the_others_keep_their_bytes() -> None:
    catalogue = catalogue_of(Reply(list_call(), TOOLS))
    reply = reshape(catalogue, (Obligation("hide", "/tools/1"),))
    assert reply.raw == b'{"tools":[{"name":"a","inputSchema":{},"v":1.0}]}'


def test_marking_is_idempotent_and_keeps_other_meta() -> None:
    raw = b'{"tools":[{"name":"a","inputSchema":{},"_meta":{"vendor":1}}]}'
    owed = (Obligation("conditional", "/tools/0"),)
    once = reshape(catalogue_of(Reply(list_call(), raw)), owed)
    meta = orjson.loads(once.raw)["tools"][0]["_meta"]
    assert meta == {"vendor": 1, CONDITIONAL: True}
    assert reshape(catalogue_of(once), owed) is once


@pytest.mark.parametrize("meta", ['"x"', "null", "[]", "3"])
def test_an_entry_whose_meta_is_no_object_is_marked_all_the_same(meta: str) -> None:
    raw = b'{"tools":[{"name":"a","inputSchema":{},"_meta":%b}]}' % meta.encode()
    once = reshape(catalogue_of(Reply(list_call(), raw)), (Obligation("conditional", "/tools/0"),))
    assert orjson.loads(once.raw)["tools"][0]["_meta"] == {CONDITIONAL: True}


def test_a_long_list_is_marked_in_one_pass() -> None:
    """10,000 entries: one pass over them takes a fraction of a second, a pass for each, hours."""
    tools = [{"name": f"t{n}", "inputSchema": {}} for n in range(10_000)]
    catalogue = catalogue_of(Reply(list_call(), orjson.dumps({"tools": tools})))
    owed = tuple(Obligation("conditional", item.pointer) for item in catalogue.items)
    marked = orjson.loads(reshape(catalogue, owed).raw)["tools"]
    assert all(tool["_meta"] == {CONDITIONAL: True} for tool in marked)


def test_marking_and_hiding_meet_the_right_entries() -> None:
    owed = (Obligation("hide", "/tools/0"), Obligation("conditional", "/tools/1"))
    reply = reshape(catalogue_of(Reply(list_call(), TOOLS)), owed)
    tools = orjson.loads(reply.raw)["tools"]
    assert [(t["name"], t.get("_meta")) for t in tools] == [("b", {CONDITIONAL: True})]
