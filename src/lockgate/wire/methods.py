"""Every method of the versions we speak, as data. What is not in the table does not pass."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import orjson

from lockgate.model.call import EraName
from lockgate.wire import edit

LEGACY: frozenset[EraName] = frozenset({"legacy"})
MODERN: frozenset[EraName] = frozenset({"modern"})
BOTH = LEGACY | MODERN

Kind = Literal["local", "list", "item", "task", "watch", "ignored", "never", "ask"]
"""``local``: answered here. ``list``, ``item``: judged and forwarded; ``task`` too, to the upstream
that a handle of ours names. ``watch``: says what a client wants to be told from now on.
``ignored``: a notification that needs nothing done. ``never``: known to a specification, and not
passed. ``ask``: an upstream's own request, put to the client."""


Names = Literal["tool", "prompt", "uri", "template", "task", ""]


class Target(msgspec.Struct, frozen=True):
    """Where a request says what it is about."""

    path: tuple[str, ...]
    """Reference tokens (RFC 6901) from ``params`` on."""
    names: Names
    ref: str = ""
    """Counts only where ``params.ref.type`` is this."""


class Method(msgspec.Struct, frozen=True):
    name: str
    kind: Kind
    eras: frozenset[EraName] = BOTH
    targets: tuple[Target, ...] = ()
    """The places in ``params`` that may name what is called."""
    array: str = ""
    """Result member that holds the list."""
    key: str = ""
    """Member of one list entry that names it."""
    mirrored: bool = False
    """Modern clients repeat the target in ``Mcp-Name``."""
    cacheable: bool = False
    """Modern results carry ``ttlMs`` and ``cacheScope``."""
    notification: bool = False
    carries: frozenset[str] = frozenset()
    """Members among ``NOT_CARRIED`` that are this method's own."""


_M = Method
_ANSWERS = frozenset({"inputResponses"})
_TOOL = (Target(("name",), "tool"),)
_PROMPT = (Target(("name",), "prompt"),)
_URI = (Target(("uri",), "uri"),)
_TASK = (Target(("taskId",), "task"),)
_REF = (
    Target(("ref", "name"), "prompt", "ref/prompt"),
    Target(("ref", "uri"), "template", "ref/resource"),
)

_ROWS = (
    _M("initialize", "local", LEGACY),
    _M("ping", "local", LEGACY),
    _M("server/discover", "local", MODERN, cacheable=True),
    _M("tools/list", "list", array="tools", key="name", cacheable=True),
    _M("tools/call", "item", targets=_TOOL, mirrored=True),
    _M("prompts/list", "list", array="prompts", key="name", cacheable=True),
    _M("prompts/get", "item", targets=_PROMPT, mirrored=True),
    _M("resources/list", "list", array="resources", key="uri", cacheable=True),
    _M("resources/templates/list", "list", array="resourceTemplates", key="uriTemplate",
       cacheable=True),
    _M("resources/read", "item", targets=_URI, mirrored=True, cacheable=True),
    _M("completion/complete", "item", targets=_REF),
    _M("logging/setLevel", "watch", LEGACY),
    _M("resources/subscribe", "watch", LEGACY, targets=_URI),
    _M("resources/unsubscribe", "watch", LEGACY, targets=_URI),
    _M("subscriptions/listen", "watch", MODERN),
    # The extension of 2026-07-28. The experimental tasks of 2025-11-25 are another protocol.
    _M("tasks/get", "task", MODERN, targets=_TASK, mirrored=True),
    _M("tasks/cancel", "task", MODERN, targets=_TASK, mirrored=True),
    _M("tasks/update", "task", MODERN, targets=_TASK, mirrored=True, carries=_ANSWERS),
    _M("tasks/result", "never", LEGACY, targets=_TASK),
    _M("tasks/list", "never", LEGACY),
    # What upstreams ask: as requests of their own, or inside ``inputRequests``.
    _M("elicitation/create", "ask"),
    _M("sampling/createMessage", "ask"),
    _M("roots/list", "ask"),
    # What clients tell us without asking anything.
    _M("notifications/initialized", "local", LEGACY, notification=True),
    _M("notifications/cancelled", "local", notification=True),
    _M("notifications/progress", "ignored", LEGACY, notification=True),
    _M("notifications/roots/list_changed", "ignored", LEGACY, notification=True),
)  # fmt: skip

METHODS = {row.name: row for row in _ROWS}
ASKS = frozenset(row.name for row in _ROWS if row.kind == "ask")

NOT_CARRIED = ("inputResponses", "requestState", "task")
"""Members of ``params`` that are not the method's own: answers and state of an earlier round, which
have their way of their own, and the experimental tasks of 2025-11-25, which nobody is offered."""


def find(method: str, era: EraName, *, notification: bool = False) -> Method | None:
    """The row of a method that is taken in this era; None: unknown, so refused."""
    row = METHODS.get(method)
    if row is None or era not in row.eras or row.notification is not notification:
        return None
    return None if row.kind in ("never", "ask") else row


def target_in(row: Method, fields: Mapping[str, bytes]) -> Target | None:
    """Which place names what is called, in params with these members."""
    if len(row.targets) == 1:
        return row.targets[0]
    said = text_at(fields, ("ref", "type")) if row.targets else None
    return next((t for t in row.targets if t.ref == said), None)


def text_at(fields: Mapping[str, bytes], path: tuple[str, ...]) -> str | None:
    """The string at ``path`` of an object with these members; None: absent or something else."""
    top = fields.get(path[0])
    found = edit.find(top, path[1:]) if top is not None else None
    said = orjson.loads(found) if found is not None else None
    return said if isinstance(said, str) else None
