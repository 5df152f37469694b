"""A message and its headers become a ``Request``: era named, header and body agreed."""

from collections.abc import Mapping

import msgspec
import orjson

from lockgate.model import Session
from lockgate.model.call import EraName
from lockgate.wire import (
    edit,
    era_2025_11,
    era_2026_07,
    headers,
    jsonrpc,
    keys,
    meta,
    methods,
    rounds,
    versions,
)
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Id, Message
from lockgate.wire.refusal import WireRefusal


class Request(msgspec.Struct, frozen=True):
    """One client message. What it says is taken from the body; headers only had to agree."""

    era: EraName
    version: str
    id: Id | None
    method: str
    name: str = ""
    """Tool or prompt name or URI as the client says it; empty where the method has none."""
    params: bytes = b"{}"
    """Raw object without the protocol's own ``_meta`` keys; vendor keys are there."""
    progress_token: Id | None = None
    client: str = ""
    capabilities: bytes = b"{}"
    cursor: str | None = None
    """The empty string is a cursor."""
    kind: jsonrpc.Kind = "request"
    names: methods.Names = ""
    """What ``name`` names: a completion is about a prompt or about a URI template."""
    responses: bytes | None = None
    """``inputResponses`` of a modern request's next round, raw."""
    state: str | None = None
    """Its ``requestState``."""
    log_level: str = ""
    """The least severe log message a modern client wants with the answer; empty: none."""
    rule: methods.Method | None = None
    """The method's row. None for responses and for notifications that we do not know: both are
    ignored."""


def read(message: Message, sent: Headers | None, session: Session | None) -> Request:
    """Name the era, hold headers against body, find the target.

    A ``_meta`` envelope, or else a modern ``MCP-Protocol-Version``, makes it a modern request; all
    else is legacy and, but for ``initialize`` and ``ping``, needs ``session``. ``sent`` is None
    where there are no headers at all, and ``Headers.optional`` where nothing has to be mirrored.

    Raises ``WireRefusal``, with the message's id.
    """
    try:
        return _read(message, sent, session)
    except WireRefusal as refusal:
        if message.kind == "request":
            refusal.id = message.id
        raise


def cancelled_id(params: bytes) -> Id | None:
    """Which request ``notifications/cancelled`` is about; None where it does not say."""
    token = edit.get(params, "/requestId")
    try:
        return jsonrpc.exact_id(token) if token is not None else None
    except WireRefusal:
        return None


def _read(message: Message, sent: Headers | None, session: Session | None) -> Request:
    fields = edit.members(message.params)
    declared = meta.read(fields)
    keys.check_params(message.params, fields, declared)
    said = sent.one(headers.PROTOCOL_VERSION) if sent is not None else None
    modern = meta.VERSION in declared or (said is not None and versions.is_modern(said))
    if message.kind == "response":
        return _response(message, sent, session, modern)
    notification = message.kind == "notification"
    rule = methods.find(message.method, "modern" if modern else "legacy", notification=notification)
    target = methods.target_in(rule, fields) if rule is not None else None
    name = methods.text_at(fields, target.path) if target is not None else None
    envelope = (
        era_2026_07.declare(message, declared, sent, name if rule and rule.mirrored else None)
        if modern
        else era_2025_11.declare(message, sent, session)
    )
    if rule is None and not notification:
        raise WireRefusal("wire.unknown-method")
    if rule is not None and rule.targets and not name:
        raise WireRefusal("wire.bad-params", "it does not say what it is about")
    responses, state = rounds.read_responses(message.method, fields) if modern else (None, None)
    return Request(
        era=envelope.era,
        version=envelope.version,
        id=message.id,
        method=message.method,
        name=name or "",
        params=_clean(message.params, fields, rule),
        progress_token=meta.progress_token(declared),
        client=envelope.client,
        capabilities=envelope.capabilities,
        cursor=_cursor(fields) if rule is not None and rule.kind == "list" else None,
        kind=message.kind,
        names=target.names if target is not None else "",
        responses=responses,
        state=state,
        log_level=meta.log_level(declared),
        rule=rule,
    )


def _response(
    message: Message, sent: Headers | None, session: Session | None, modern: bool
) -> Request:
    if modern:
        # Since 2026-07-28 nobody asks clients anything, so they have nothing to answer.
        raise WireRefusal("wire.not-jsonrpc", "clients do not send responses in this version")
    spoken = era_2025_11.declare(message, sent, session)
    return Request("legacy", spoken.version, message.id, "", kind="response", client=spoken.client)


def _clean(params: bytes, fields: Mapping[str, bytes], rule: methods.Method | None) -> bytes:
    """``params`` without what is the protocol's, and with ``arguments`` that are an object.

    Raises ``WireRefusal("wire.bad-params")``.
    """
    changes = meta.strip(fields, meta.PROGRESS)
    gone = [key for key in methods.NOT_CARRIED if key in fields]
    changes |= {key: None for key in gone if rule is None or key not in rule.carries}
    arguments = fields.get("arguments")
    if arguments is not None and not edit.is_object(arguments):
        # Judged as "no arguments" while the upstream sees a list: never. Null means absent.
        if arguments != b"null":
            raise WireRefusal("wire.bad-params", "arguments is not an object")
        changes["arguments"] = None
    return edit.merge(params, changes) if changes else params


def _cursor(fields: Mapping[str, bytes]) -> str | None:
    found = fields.get("cursor")
    if found is None or found == b"null":
        return None
    said = orjson.loads(found)
    if not isinstance(said, str):
        raise WireRefusal("wire.bad-params", "cursor is not a string")
    return said
