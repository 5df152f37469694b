"""What upstreams send: lists in pages, tool definitions."""

from fuzz.parts import LIMITS, cut, is_json
from fuzz.targets.document import read
from lockgate.model import SendFailed, Upstream
from lockgate.upstream.catalogue import tools_in, unusable
from lockgate.upstream.listing import Pages, elements, without
from lockgate.wire import edit, jsonrpc
from lockgate.wire.methods import METHODS
from lockgate.wire.refusal import WireRefusal

_MOST_PAGES = 6
_LISTS = sorted(name for name, row in METHODS.items() if row.array)


def list_pages(data: bytes) -> None:
    """Parts: a number for the method; results, one a page."""
    number, *raws = cut(data, _MOST_PAGES + 1)
    method = _LISTS[sum(number) % len(_LISTS)]
    array = METHODS[method].array
    pages, items = Pages(array, 2_000), 0
    for count, raw in enumerate(raws, 1):
        result = _result(raw)
        if result is None:
            return
        try:
            cursor = pages.add(result)
        except SendFailed as failed:
            assert failed.reason in ("upstream.garbage", "upstream.too-large")
            return
        items += len(elements(edit.members(result)[array]))
        merged = pages.merged(count)
        assert is_json(merged)
        listed = read(edit.members(merged)[array])
        assert len(listed.inside) == items
        assert "nextCursor" not in edit.members(merged)
        gone = set(range(0, items, 2))
        left = without(merged, method, gone)
        assert is_json(left)
        assert len(elements(edit.members(left)[array])) == items - len(gone)
        if cursor is None:
            return


def tool_definitions(data: bytes) -> None:
    """A whole ``tools/list`` result."""
    result = _result(data)
    if result is None or not edit.is_array(edit.members(result).get("tools", b"")):
        return
    gone = unusable(result)
    entries = elements(edit.members(result)["tools"])
    assert all(0 <= index < len(entries) for index in gone)
    tools = tools_in(Upstream("up"), result)
    assert len(tools) == len(entries) - len(gone)
    assert len({tool.name for tool in tools}) == len(tools)
    for tool in tools:
        assert tool.raw in entries
        assert tool.name.isprintable()
        assert len(tool.hash) == 64


def _result(raw: bytes) -> bytes | None:
    """As the channel gives it: None for what it would not."""
    try:
        message = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"result":%b}' % raw, LIMITS)
    except WireRefusal:
        return None
    return message.result
