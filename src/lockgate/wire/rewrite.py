"""Inner names and URIs become outer ones in results, and outer ones inner ones in requests.

Which places hold them is a table; everything else keeps its bytes.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import orjson

from lockgate.wire import edit, methods
from lockgate.wire.names import wrap_template, wrap_uri

Rename = Callable[[str], str]
"""From an upstream's own tool or prompt name to the outer one."""


class _Place(NamedTuple):
    holder: tuple[str, ...]
    """Pattern of ``edit.change``: where the value that holds ``leaf`` is."""
    leaf: tuple[str, ...]
    what: Literal["name", "uri", "template"]
    type: str = ""
    """Only where the holder's ``type`` is this."""


def _blocks(*holder: str) -> tuple[_Place, ...]:
    """Where content blocks name resources."""
    return (
        _Place(holder, ("uri",), "uri", "resource_link"),
        _Place(holder, ("resource", "uri"), "uri", "resource"),
    )


_PLACES: dict[str, tuple[_Place, ...]] = {
    "tools/list": (
        _Place(("tools", "*"), ("name",), "name"),
        # MCP Apps, in its present and its first form.
        _Place(("tools", "*"), ("_meta", "ui", "resourceUri"), "uri"),
        _Place(("tools", "*"), ("_meta", "ui/resourceUri"), "uri"),
    ),
    "tools/call": _blocks("content", "*"),
    # The result of a tool's call that became a task, whole or as its handle has it.
    "tasks/get": _blocks("result", "content", "*"),
    "prompts/list": (_Place(("prompts", "*"), ("name",), "name"),),
    # One block, or (as other messages of MCP have it) several.
    "prompts/get": _blocks("messages", "*", "content") + _blocks("messages", "*", "content", "*"),
    "resources/list": (_Place(("resources", "*"), ("uri",), "uri"),),
    "resources/templates/list": (_Place(("resourceTemplates", "*"), ("uriTemplate",), "template"),),
    "resources/read": (_Place(("contents", "*"), ("uri",), "uri"),),
}


def rewrite_result(method: str, raw: bytes, upstream: str, rename: Rename) -> bytes:
    """One upstream's result with outer names. ``rename`` may raise ``KeyError`` for a name that is
    not in the table; that name then stays, and can be called by nobody."""
    for place in _PLACES.get(method, ()):
        # Most results have no such key at all; an escaped one is found the long way.
        if place.leaf[-1].encode() not in raw and b"\\u" not in raw:
            continue
        raw = edit.change(raw, place.holder, _editor(place, upstream, rename))
    return raw


def rewrite_error(error: bytes, upstream: str) -> bytes:
    """A "resource not found" tells which: in the client's terms."""
    place = _Place(("data",), ("uri",), "uri")
    return edit.change(error, place.holder, _editor(place, upstream, str))


def rewrite_params(method: str, params: bytes, inner: str) -> bytes:
    """A request's params with the target as its upstream knows it."""
    row = methods.METHODS.get(method)
    target = methods.target_in(row, edit.members(params)) if row is not None else None
    if target is None:
        return params
    return edit.put(params, edit.pointer(*target.path), orjson.dumps(inner))


def _editor(place: _Place, upstream: str, rename: Rename) -> Callable[[bytes], bytes]:
    def leaf(raw: bytes) -> bytes:
        said = orjson.loads(raw)
        if not isinstance(said, str):
            return raw
        return orjson.dumps(_outer(place.what, upstream, said, rename))

    def holder(raw: bytes) -> bytes:
        if place.type and methods.text_at(edit.members(raw), ("type",)) != place.type:
            return raw
        return edit.change(raw, place.leaf, leaf)

    return holder


def _outer(what: str, upstream: str, said: str, rename: Rename) -> str:
    if what == "uri":
        return wrap_uri(upstream, said)
    if what == "template":
        return wrap_template(upstream, said)
    try:
        return rename(said)
    except KeyError:
        return said
