"""What a client lets an upstream ask of it: read, cut to what is carried, in either era's form.

An upstream is told the client's capabilities, never the gateway's own, and of those only what the
gateway really passes on.
"""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import orjson

from lockgate.model.call import EraName
from lockgate.wire import edit

NOTHING = b"{}"

_SHORT = 4_096
"""Bytes up to which what a client declares is remembered."""

TASKS = "io.modelcontextprotocol/tasks"
_UI = "io.modelcontextprotocol/ui"
_UI_TYPES = ("text/html;profile=mcp-app",)
_MEMBERS = {
    "elicitation": ("form", "url"),
    "sampling": ("tools", "context"),
    "roots": ("listChanged",),
}
_PER_ERA = frozenset({"sampling", "roots"})
"""Deprecated since 2026-07-28: passed between a client and an upstream of one era only."""

ELICITATION = "elicitation/create"
SAMPLING = "sampling/createMessage"
ROOTS = "roots/list"
MISSING_CAPABILITY = b"-32021"
_MEMBER = {ELICITATION: "elicitation", SAMPLING: "sampling", ROOTS: "roots"}


def _ui(said: Any) -> dict[str, Any]:
    """MCP Apps (SEP-1865): which forms of pages the client can show."""
    types = said.get("mimeTypes") if isinstance(said, dict) else None
    shown = [one for one in types if one in _UI_TYPES] if isinstance(types, list) else []
    return {"mimeTypes": shown} if shown else {}


_EXTENSIONS: Mapping[str, Callable[[Any], dict[str, Any]]] = {TASKS: lambda _: {}, _UI: _ui}
"""What is told of each extension that is carried."""


def asks_of(capabilities: bytes) -> bytes:
    """``Envelope.asks`` of declared capabilities: the part that is carried, in one spelling."""
    return (_known_asks if len(capabilities) <= _SHORT else _asks_of)(capabilities)


def _asks_of(capabilities: bytes) -> bytes:
    said = orjson.loads(capabilities)
    found: dict[str, Any] = {
        name: _known(said[name], members)
        for name, members in _MEMBERS.items()
        if isinstance(said.get(name), dict)
    }
    if said.get("elicitation") == {}:
        found["elicitation"] = {"form": {}}  # what it meant before there were modes
    elif found.get("elicitation") == {}:
        del found["elicitation"]  # only modes we do not know: an empty one would mean forms
    declared = said.get("extensions")
    if isinstance(declared, dict):
        carried = {
            name: cut(declared[name]) for name, cut in _EXTENSIONS.items() if name in declared
        }
        if carried:
            found["extensions"] = carried
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


_known_asks = lru_cache(maxsize=256)(_asks_of)
"""The same clients declare the same in every request."""


def _known(said: Mapping[str, Any], members: Collection[str]) -> dict[str, Any]:
    """The flags among ``members`` and no word of the client's own: no control reads this."""
    found = {name: said[name] for name in members if name in said}
    return {name: True if flag is True else {} for name, flag in found.items() if flag is not False}


def towards(asks: bytes, client: EraName, upstream: EraName) -> bytes:
    """The capabilities an upstream of that era is told."""
    if asks == NOTHING:
        return NOTHING
    found = orjson.loads(asks)
    if client != upstream:
        for name in _PER_ERA:
            found.pop(name, None)
    if (client, upstream) != ("modern", "modern"):
        found.get("extensions", {}).pop(TASKS, None)
    if not found.get("extensions", True):
        del found["extensions"]
    if upstream == "modern" and "roots" in found:
        found["roots"] = {}
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def declares(asks: bytes, method: str, params: Mapping[str, Any]) -> bool:
    """Whether a client with these ``asks`` takes this server-to-client request."""
    member = _MEMBER.get(method, "")
    found = orjson.loads(asks).get(member)
    if found is None:
        return False
    if method == ELICITATION:
        mode = params.get("mode", "form")
        return isinstance(mode, str) and mode in found
    if method == SAMPLING and ("tools" in params or "toolChoice" in params):
        return "tools" in found
    return True


def withheld(error: bytes, asks: bytes) -> bool:
    """Whether an upstream's error says that the client lacks what it has, and what the gateway did
    not pass on to the other era (MCP 2026-07-28, error -32021)."""
    if MISSING_CAPABILITY not in error:
        return False
    required = edit.get(error, "/data/requiredCapabilities") or b"{}"
    return not _PER_ERA.isdisjoint(edit.members(required).keys() & orjson.loads(asks).keys())


def takes_tasks(asks: bytes) -> bool:
    """MCP Tasks extension (SEP-2663): only a request that declares it may be answered a task."""
    return TASKS in orjson.loads(asks).get("extensions", {})
