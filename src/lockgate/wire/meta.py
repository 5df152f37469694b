"""``_meta``: which keys belong to the protocol, and how they are read, removed and set."""

import re
from collections.abc import Mapping
from functools import lru_cache

import orjson

from lockgate.wire import edit, jsonrpc
from lockgate.wire.refusal import WireRefusal

OWNED = "io.modelcontextprotocol/"
"""Prefix the specification keeps to itself."""
VERSION = OWNED + "protocolVersion"
CAPABILITIES = OWNED + "clientCapabilities"
CLIENT = OWNED + "clientInfo"
SERVER = OWNED + "serverInfo"
LOG_LEVEL = OWNED + "logLevel"
SUBSCRIPTION = OWNED + "subscriptionId"
PROGRESS = "progressToken"
LEVELS = (
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency",
)  # fmt: skip
"""Of log messages, from the least severe (RFC 5424, section 6.2.1)."""

_UNPRINTABLE = re.compile(r"[^\x21-\x7e\xa1-\U0010ffff]+")
_SHORT = 256
"""Bytes up to which what a client says of itself is remembered."""
_LABEL = 60
"""Characters kept of a client's name and of its version: they end in logs and records."""


def read(fields: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members of ``_meta`` among ``fields``, the members of params or of a result.

    Raises ``WireRefusal("wire.bad-params")`` if it is no object.
    """
    found = fields.get("_meta")
    if found is None:
        return {}
    if not edit.is_object(found):
        raise WireRefusal("wire.bad-params", "_meta is not an object")
    return edit.members(found)


def progress_token(meta: Mapping[str, bytes]) -> jsonrpc.Id | None:
    token = meta.get(PROGRESS)
    if token is None:
        return None
    try:
        return jsonrpc.exact_id(token)
    except WireRefusal:
        detail = "progressToken is neither a string nor an integer"
        raise WireRefusal("wire.bad-params", detail) from None


def log_level(meta: Mapping[str, bytes]) -> str:
    """The level of a modern request's ``_meta``; empty: it wants no log messages.

    Raises ``WireRefusal("wire.bad-params")`` for a level that RFC 5424 does not name.
    """
    found = meta.get(LOG_LEVEL)
    if found is None:
        return ""
    said = orjson.loads(found)
    if said not in LEVELS:
        raise WireRefusal("wire.bad-params", "logLevel is not a level of RFC 5424")
    return str(said)


def reaches(level: object, wanted: str) -> bool:
    """Whether a log message of this level is wanted by who wants ``wanted`` and worse; nobody wants
    any where that is empty."""
    return wanted in LEVELS and level in LEVELS and LEVELS.index(level) >= LEVELS.index(wanted)


def strip(fields: Mapping[str, bytes], *also: str) -> dict[str, bytes | None]:
    """The edit (for ``edit.merge``) that takes the protocol's own keys, and ``also``, out of
    ``_meta``. An emptied ``_meta`` goes too.

    Vendor keys stay, and so do ``traceparent``, ``tracestate`` and ``baggage`` (W3C Trace Context).
    """
    found = fields.get("_meta")
    if found is None:
        return {}
    names = edit.members(found)
    owned = [name for name in names if name in also or name.startswith(OWNED)]
    if not owned:
        return {}
    left = edit.merge(found, dict.fromkeys(owned)) if len(owned) < len(names) else None
    return {"_meta": left}


def add(fields: Mapping[str, bytes], keys: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The edit that sets keys of ``_meta``, making it where it is missing or no object."""
    found = fields.get("_meta", b"")
    return {"_meta": edit.merge(found if edit.is_object(found) else b"{}", keys)}


def label(info: bytes | None) -> str:
    """``clientInfo`` or ``serverInfo`` as ``name/version``, in printable characters.

    Self-declared: for people to read, never for a decision.
    """
    if info is None:
        return ""
    return _known_label(info) if len(info) <= _SHORT else _label_of(info)


def _label_of(info: bytes) -> str:
    said = orjson.loads(info)
    if not isinstance(said, dict):
        return ""
    return "/".join(filter(None, (_text(said.get(key)) for key in ("name", "version"))))


_known_label = lru_cache(maxsize=1024)(_label_of)
"""The same clients say who they are in every request."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    shown = _UNPRINTABLE.sub("_", value)[:_LABEL]
    # Some of what is beyond Latin-1 turns the text around, or ends its line.
    return shown if shown.isprintable() else "".join(c if c.isprintable() else "_" for c in shown)
