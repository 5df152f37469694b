"""The versions with an ``initialize`` handshake: 2025-06-18 and 2025-11-25 towards clients, and
also 2024-11-05 and 2025-03-26 towards upstreams."""

from typing import cast

import orjson

from lockgate.model import Envelope, Session
from lockgate.wire import edit, headers, meta, opened, rounds, versions
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Id, Message, render_id
from lockgate.wire.refusal import WireRefusal

VERSION = versions.LEGACY[-1]
_WITHOUT_SESSION = frozenset({"initialize", "ping"})


def declare(message: Message, sent: Headers | None, session: Session | None) -> Envelope:
    """What is known of a legacy client: from its ``initialize``, later from its session.

    Raises ``WireRefusal`` with ``wire.bad-params``, ``wire.unsupported-version``,
    ``wire.header-mismatch`` or ``session.missing``.
    """
    if message.method == "initialize":
        return _introduce(message.params)
    said = sent.one(headers.PROTOCOL_VERSION) if sent is not None else None
    if said is not None and said not in versions.LEGACY:
        raise versions.unsupported(said)
    if session is None:
        if message.method in _WITHOUT_SESSION:
            return Envelope("legacy", said or VERSION)
        raise WireRefusal("session.missing")
    if said is not None and said != session.version:
        raise WireRefusal("wire.header-mismatch", "MCP-Protocol-Version is not the session's")
    return Envelope("legacy", session.version, session.client, session.capabilities)


def initialize_result(
    version: str, capabilities: bytes, server_info: bytes, instructions: str = ""
) -> bytes:
    """Answer to ``initialize``. ``capabilities`` must name only what the gateway forwards."""
    told = b',"instructions":%b' % orjson.dumps(instructions) if instructions else b""
    return b'{"protocolVersion":%b,"capabilities":%b,"serverInfo":%b%b}' % (
        orjson.dumps(version),
        capabilities,
        server_info,
        told,
    )


def finish_result(method: str, raw: bytes) -> bytes:
    """Any upstream's result as a legacy client may get it: without what its version forbids."""
    gone: dict[str, bytes | None] = dict.fromkeys(("resultType", "ttlMs", "cacheScope"))
    found = edit.members(raw)
    if method == "tools/call" and not edit.is_object(found.get("structuredContent", b"{}")):
        gone["structuredContent"] = None
    raw = edit.merge(raw, gone | meta.strip(found))
    return edit.change(raw, ("tools", "*"), _plain_tool) if method == "tools/list" else raw


def initialize_params(client_info: bytes, capabilities: bytes, version: str = VERSION) -> bytes:
    """What we ask an upstream with."""
    return b'{"protocolVersion":%b,"capabilities":%b,"clientInfo":%b}' % (
        orjson.dumps(version),
        capabilities,
        client_info,
    )


def read_initialize(result: bytes) -> opened.Opened:
    """An upstream's answer to ``initialize``.

    Raises ``WireRefusal("upstream.garbage")`` when it lacks what the specification requires or
    names a version we do not speak.
    """
    found = edit.members(result)
    version = orjson.loads(found.get("protocolVersion", b"null"))
    if version not in versions.UPSTREAM_LEGACY:
        raise WireRefusal("upstream.garbage", "no version of ours in its initialize result")
    return opened.read(result, cast("str", version), found.get("serverInfo"))


def request_params(params: bytes, *, progress: Id | None = None) -> bytes:
    """Without what only modern upstreams know."""
    if rounds.RESPONSES in params:
        params = rounds.continue_with(params, None, None)
    if progress is None:
        return params
    keys: dict[str, bytes | None] = {meta.PROGRESS: render_id(progress)}
    return edit.merge(params, meta.add(edit.members(params), keys))


def request_headers(version: str) -> dict[str, str]:
    return {"MCP-Protocol-Version": version}


def _introduce(params: bytes) -> Envelope:
    found = edit.members(params)
    version = orjson.loads(found.get("protocolVersion", b"null"))
    if not isinstance(version, str):
        raise WireRefusal("wire.bad-params", "protocolVersion is not a string")
    capabilities = found.get("capabilities", b"{}")
    if not edit.is_object(capabilities):
        raise WireRefusal("wire.bad-params", "capabilities is not an object")
    client = meta.label(found.get("clientInfo"))
    return Envelope("legacy", versions.negotiate(version), client, capabilities)


def _plain_tool(tool: bytes) -> bytes:
    """Until 2026 an ``outputSchema`` described an object, and clients reject a list otherwise."""
    schema = edit.members(tool).get("outputSchema")
    if schema is None:
        return tool
    kind = edit.get(schema, "/type")
    if kind is not None and orjson.loads(kind) == "object":
        return tool
    return edit.drop(tool, "/outputSchema")
