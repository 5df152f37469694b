"""A list answer as a catalogue of what it lists."""

from collections.abc import Iterator
from typing import Any

import msgspec

from lockgate.model import Call, Catalogue, Item, Reply, Tool
from lockgate.wire.methods import METHODS

SLICE = 100
"""Entries judged at once."""

_RAW_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def catalogue_of(reply: Reply) -> Catalogue:
    """Every entry of a list result. Raises ``KeyError`` or ``msgspec.DecodeError`` for another
    shape, which the reply controls have ruled out before."""
    row = METHODS[reply.call.method]
    member, key = row.array, row.key
    raws = _RAW_ITEMS.decode(_RAW_MEMBERS.decode(reply.raw)[member])
    shown = zip(raws, reply.decoded[member], strict=True)
    items = (
        _item(reply.call, f"/{member}/{at}", key, bytes(raw), entry)
        for at, (raw, entry) in enumerate(shown)
    )
    return Catalogue(reply, tuple(items))


def slices(catalogue: Catalogue) -> Iterator[Catalogue]:
    """The same list in parts of ``SLICE`` entries; at least one, so that controls always speak."""
    for start in range(0, max(len(catalogue.items), 1), SLICE):
        yield Catalogue(catalogue.reply, catalogue.items[start : start + SLICE])


def _item(call: Call, pointer: str, key: str, raw: bytes, entry: Any) -> Item:
    name = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(name, str):
        return Item(pointer, "", raw=raw)  # nobody can be permitted to use what has no name
    if call.method != "tools/list":
        return Item(pointer, name, raw=raw)
    schema = msgspec.json.encode(entry.get("inputSchema"))
    return Item(pointer, name, Tool(call.upstream.name, name, raw, schema), raw)
