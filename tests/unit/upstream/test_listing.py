import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import Envelope, SendFailed
from lockgate.upstream.link import LinkReply
from lockgate.upstream.listing import ITEMS, PAGES, elements, read_list, without
from lockgate.upstream.target import Bounds
from support.fake_link import FakeLink


def paged(*pages: bytes) -> FakeLink:
    """Cursors are ``""``, ``1``, ``2`` ...: the empty one is a cursor too."""
    at = {None: 0, "": 1} | {str(n): n + 1 for n in range(1, len(pages))}

    def answer(method: str, params: bytes) -> LinkReply:
        assert method == "tools/list"
        return LinkReply(pages[at[json.loads(params).get("cursor")]])

    return FakeLink(answer)


async def read(link: FakeLink, bounds: Bounds = Bounds()) -> LinkReply:  # noqa: B008
    return await read_list(link, "tools/list", Envelope(), bounds)


async def reason(link: FakeLink, bounds: Bounds = Bounds()) -> str:  # noqa: B008
    with pytest.raises(SendFailed) as failed:
        await read(link, bounds)
    return failed.value.reason


async def test_one_page_keeps_every_byte() -> None:
    raw = b'{ "tools" : [ {"name":"a", "x": 1.50e2} ], "ttlMs" : 0 }'
    assert (await read(paged(raw))).raw == raw


async def test_pages_become_one_and_items_keep_their_bytes() -> None:
    link = paged(
        b'{"tools":[{"name":"a","n": 1.50}],"ttlMs":7,"nextCursor":""}',
        b'{"tools":[],"nextCursor":"1"}',
        b'{"tools":[ {"name":"b" , "big":12345678901234567890123} ],"nextCursor":null}',
    )
    said = (await read(link)).raw
    assert b'{"name":"a","n": 1.50},{"name":"b" , "big":12345678901234567890123}' in said
    found = json.loads(said)
    assert [tool["name"] for tool in found["tools"]] == ["a", "b"]
    assert found["ttlMs"] == 7
    assert "nextCursor" not in found
    assert [json.loads(params) for _, params, _ in link.asked] == [
        {}, {"cursor": ""}, {"cursor": "1"},
    ]  # fmt: skip


async def test_an_error_is_the_answer() -> None:
    said = await read(FakeLink(lambda *_: LinkReply(b'{"code":-32601}', is_error=True)))
    assert said.is_error


@pytest.mark.parametrize(
    "page",
    [b'{"tools":[],"nextCursor":""}', b'{"tools":[],"nextCursor":7}', b"{}", b'{"tools":{}}'],
)
async def test_circles_and_nonsense_are_garbage(page: bytes) -> None:
    assert await reason(FakeLink(lambda *_: LinkReply(page))) == "upstream.garbage"


async def test_endless_pages_are_cut() -> None:
    count = iter(range(10**6))
    link = FakeLink(lambda *_: LinkReply(b'{"tools":[],"nextCursor":"%d"}' % next(count)))
    assert await reason(link) == "upstream.too-large"
    assert len(link.asked) == PAGES


async def test_too_many_items_or_bytes_are_refused() -> None:
    many = b'{"tools":[' + b",".join([b"{}"] * (ITEMS + 1)) + b"]}"
    assert await reason(paged(many)) == "upstream.too-large"
    page = b'{"tools":["' + b"x" * 60 + b'"]%b}'
    two = paged(page % b',"nextCursor":""', page % b"")
    assert await reason(two, Bounds(list_bytes=120)) == "upstream.too-large"


async def test_one_deadline_for_all_pages() -> None:
    link = paged(b'{"tools":[]}')
    link.hold = asyncio.Event()
    assert await reason(link, Bounds(call_seconds=0.01)) == "upstream.timeout"


@given(st.lists(st.lists(st.integers() | st.text(max_size=5), max_size=5), min_size=1, max_size=6))
async def test_nothing_is_lost_or_reordered(pages: list[list[object]]) -> None:
    raws = [{"tools": page, "nextCursor": str(n) if n else ""} for n, page in enumerate(pages)]
    raws[-1].pop("nextCursor")
    said = (await read(paged(*(json.dumps(raw).encode() for raw in raws)))).raw
    assert json.loads(said)["tools"] == [item for page in pages for item in page]


def test_elements_and_without_keep_bytes() -> None:
    raw = b'{"tools":[ {"a": 1.0} , 2,{"b":"\\u0041"}]}'
    assert elements(b'[ {"a": 1.0} , 2]') == [b'{"a": 1.0}', b"2"]
    assert without(raw, "tools/list", ()) == raw
    assert b'{"b":"\\u0041"}' in without(raw, "tools/list", {0, 1})
    assert json.loads(without(raw, "tools/list", {0, 1})) == {"tools": [{"b": "A"}]}
