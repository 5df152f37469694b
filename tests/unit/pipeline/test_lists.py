import orjson
import pytest

from lockgate.model import Reply, Tool
from lockgate.pipeline.lists import SLICE, catalogue_of, slices
from worlds import list_call


def test_every_entry_is_an_item_with_its_place_and_exact_definition() -> None:
    raw = b'{"tools":[ {"name":"a", "inputSchema":{"x":1.0}},{"name":"b","inputSchema":{}} ]}'
    items = catalogue_of(Reply(list_call(), raw)).items
    assert [(i.pointer, i.name) for i in items] == [("/tools/0", "a"), ("/tools/1", "b")]
    first = items[0].tool
    assert isinstance(first, Tool)
    assert first.raw == b'{"name":"a", "inputSchema":{"x":1.0}}'


@pytest.mark.parametrize("entry", [b"3", b"{}", b'{"name":3}', b"null"])
def test_what_has_no_name_is_an_item_that_nobody_can_be_permitted(entry: bytes) -> None:
    items = catalogue_of(Reply(list_call(), b'{"tools":[%b]}' % entry)).items
    assert [(i.name, i.tool) for i in items] == [("", None)]


@pytest.mark.parametrize(
    ("method", "raw", "name"),
    [
        ("prompts/list", b'{"prompts":[{"name":"p"}]}', "p"),
        ("resources/list", b'{"resources":[{"uri":"a://b"}]}', "a://b"),
        ("resources/templates/list", b'{"resourceTemplates":[{"uriTemplate":"a://{b}"}]}', "a://{b}"),
    ],
)  # fmt: skip
def test_each_kind_of_list_names_its_entries_its_own_way(
    method: str, raw: bytes, name: str
) -> None:
    assert [i.name for i in catalogue_of(Reply(list_call(method), raw)).items] == [name]


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1])
def test_slices_hold_every_entry_once_and_there_is_always_one(count: int) -> None:
    raw = orjson.dumps({"tools": [{"name": f"t{n}", "inputSchema": {}} for n in range(count)]})
    catalogue = catalogue_of(Reply(list_call(), raw))
    parts = list(slices(catalogue))
    assert parts
    assert sum((part.items for part in parts), ()) == catalogue.items
    assert all(part.digest == catalogue.digest for part in parts)
