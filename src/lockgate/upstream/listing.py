"""Reading a whole list from an upstream, however many pages it makes of it."""

import asyncio
from collections.abc import Collection

import msgspec
import orjson

from lockgate.model import Envelope, SendFailed
from lockgate.upstream.link import Link, LinkReply
from lockgate.upstream.target import Bounds
from lockgate.wire import edit
from lockgate.wire.methods import METHODS

PAGES = 100
ITEMS = 10_000

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def elements(array: bytes) -> list[bytes]:
    """The elements of a raw JSON array, their bytes as they are."""
    return [bytes(element) for element in _ARRAY.decode(array)]


async def read_list(link: Link, method: str, envelope: Envelope, bounds: Bounds) -> LinkReply:
    """Every page of the list ``method``, merged into one result without ``nextCursor``. The items'
    bytes stay as they came; the members beside them are those of the first page.

    A JSON-RPC error on any page is the answer. Raises ``SendFailed``: ``upstream.too-large`` over
    the caps on pages, items and bytes, ``upstream.garbage`` where the cursors go in circles or a
    page has no list, ``upstream.timeout`` when all pages together take longer than one call may.
    """
    try:
        async with asyncio.timeout(bounds.call_seconds):
            return await _read_pages(link, method, envelope, bounds)
    except TimeoutError:
        raise SendFailed("upstream.timeout", f"{method}: {bounds.call_seconds:g} s") from None


class Pages:
    """The pages so far, under the caps."""

    def __init__(self, array: str, most: int) -> None:
        self._array = array
        self._most = most
        self._bytes = 0
        self._seen: set[str] = set()
        self._first = b"{}"
        self._items: list[bytes] = []

    def add(self, raw: bytes) -> str | None:
        """Take one page. Returns the cursor of the next; an empty one is a cursor too."""
        self._bytes += len(raw)
        if self._bytes > self._most:
            raise SendFailed("upstream.too-large", f"a list of more than {self._most} bytes")
        found = edit.members(raw)
        listed = found.get(self._array)
        if listed is None or not edit.is_array(listed):
            raise SendFailed("upstream.garbage", f"no {self._array} in a page")
        if not self._seen:
            self._first = raw
        self._items += elements(listed)
        if len(self._items) > ITEMS:
            raise SendFailed("upstream.too-large", f"a list of more than {ITEMS} items")
        return self._next(orjson.loads(found.get("nextCursor", b"null")))

    def merged(self, pages: int) -> bytes:
        if pages == 1:
            # Nothing to merge: not a byte is touched, unless a null cursor says that it ends.
            return edit.merge(self._first, {"nextCursor": None})
        return edit.merge(
            self._first,
            {self._array: b"[" + b",".join(self._items) + b"]", "nextCursor": None},
        )

    def _next(self, cursor: object) -> str | None:
        if cursor is None:
            return None
        if not isinstance(cursor, str):
            raise SendFailed("upstream.garbage", "a cursor that is no string")
        if cursor in self._seen:
            raise SendFailed("upstream.garbage", "its cursors go in circles")
        self._seen.add(cursor)
        return cursor


async def _read_pages(link: Link, method: str, envelope: Envelope, bounds: Bounds) -> LinkReply:
    pages = Pages(METHODS[method].array, bounds.list_bytes)
    params = b"{}"
    for number in range(1, PAGES + 1):
        reply = await link.request(method, params, envelope=envelope)
        if reply.is_error:
            return reply
        cursor = pages.add(reply.raw)
        if cursor is None:
            return LinkReply(pages.merged(number))
        params = edit.put(b"{}", "/cursor", orjson.dumps(cursor))
    raise SendFailed("upstream.too-large", f"a list of more than {PAGES} pages")


def without(raw: bytes, method: str, indexes: Collection[int]) -> bytes:
    """The list result without these entries."""
    return edit.drop_items(raw, f"/{METHODS[method].array}", indexes) if indexes else raw
