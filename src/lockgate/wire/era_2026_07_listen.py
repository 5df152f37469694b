"""``subscriptions/listen`` (MCP 2026-07-28): what a client asks to be told, and how it is told."""

import msgspec
import orjson

from lockgate.wire import edit, meta
from lockgate.wire.jsonrpc import Id, render_id
from lockgate.wire.refusal import WireRefusal

KINDS = {
    "tools": "toolsListChanged",
    "prompts": "promptsListChanged",
    "resources": "resourcesListChanged",
}
"""Lists that can change, and the member that asks to be told."""
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_URIS = "resourceSubscriptions"


class Wanted(msgspec.Struct, frozen=True):
    kinds: frozenset[str] = frozenset()
    uris: tuple[str, ...] = ()
    """In the order asked for, each once."""
    tasks: bool = False
    """Of tasks, too. Never granted: they are polled."""


def read_listen(params: bytes) -> Wanted:
    """Raises ``WireRefusal("wire.bad-params")``. What we do not know is not granted, so ignored."""
    found = edit.get(params, "/notifications")
    if found is None or not edit.is_object(found):
        raise WireRefusal("wire.bad-params", "notifications is not an object")
    said = orjson.loads(found)
    asked = {kind: said.get(member, False) for kind, member in KINDS.items()}
    if not all(isinstance(wants, bool) for wants in asked.values()):
        raise WireRefusal("wire.bad-params", "a list is asked for with true or false")
    uris = said.get(_URIS, [])
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise WireRefusal("wire.bad-params", f"{_URIS} is not a list of strings")
    kinds = frozenset(k for k, wants in asked.items() if wants)
    return Wanted(kinds, tuple(dict.fromkeys(uris)), bool(said.get("taskIds")))


def granted(wanted: Wanted) -> bytes:
    """Params of the first event: exactly what will be told."""
    said: dict[str, object] = {KINDS[kind]: True for kind in sorted(wanted.kinds)}
    if wanted.uris:
        said[_URIS] = list(wanted.uris)
    return b'{"notifications":%b}' % orjson.dumps(said)


def tagged(params: bytes, id: Id) -> bytes:
    """Params of an event that belongs to the listen with this id."""
    keys: dict[str, bytes | None] = {meta.SUBSCRIPTION: render_id(id)}
    return edit.merge(params, meta.add(edit.members(params), keys))


def listen_result(id: Id) -> bytes:
    """The end of a subscription that the server ends in order."""
    return tagged(b'{"resultType":"complete"}', id)
