"""MCP 2026-07-28: stateless. Every request says its version and capabilities in ``_meta`` and, on
HTTP, repeats method and target in headers."""

from collections.abc import Mapping
from typing import cast

import orjson

from lockgate.model import Envelope, Json
from lockgate.wire import edit, headers, meta, methods, opened, versions
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Id, Message, render_id
from lockgate.wire.refusal import WireRefusal

VERSION = versions.MODERN[-1]

COMPLETE = "complete"
_COMPLETE = b'"complete"'
_PRIVATE = b'"private"'


def declare(
    message: Message, declared: Mapping[str, bytes], sent: Headers | None, target: str | None
) -> Envelope:
    """What a client says about itself in one request.

    ``declared`` is ``_meta``; ``sent`` is None where there are no headers at all; ``target`` is
    what ``Mcp-Name`` has to repeat, None where the method has none.

    Raises ``WireRefusal`` with ``wire.missing-meta``, ``wire.header-mismatch``,
    ``wire.unsupported-version`` or ``wire.bad-params``, in this order of checks.
    """
    version, capabilities = declared.get(meta.VERSION), declared.get(meta.CAPABILITIES)
    if message.kind == "notification":
        # Notifications have no required _meta; on HTTP the version header speaks for them.
        version = version or _header_version(sent)
        capabilities = capabilities or b"{}"
    if version is None or capabilities is None:
        raise WireRefusal("wire.missing-meta")
    said = orjson.loads(version)
    if not isinstance(said, str):
        raise WireRefusal("wire.bad-params", "protocolVersion is not a string")
    if sent is not None:
        _check_mirrors(message, sent, said, target)
    if said not in versions.MODERN:
        raise versions.unsupported(said)
    if not edit.is_object(capabilities):
        raise WireRefusal("wire.bad-params", "clientCapabilities is not an object")
    client = meta.label(declared.get(meta.CLIENT))
    return Envelope("modern", said, client, capabilities)


def discover_result(capabilities: bytes, server_info: bytes, instructions: str = "") -> bytes:
    """Answer to ``server/discover``. ``capabilities`` must name only what the gateway forwards."""
    told = b',"instructions":%b' % orjson.dumps(instructions) if instructions else b""
    return (
        b'{"resultType":"complete","supportedVersions":%b,"capabilities":%b%b,'
        b'"ttlMs":0,"cacheScope":"private","_meta":{"%b":%b}}'
    ) % (orjson.dumps(versions.SUPPORTED), capabilities, told, meta.SERVER.encode(), server_info)


def finish_result(method: str, raw: bytes, server_info: bytes) -> bytes:
    """Any upstream's result as a modern client must get it.

    ``cacheScope`` is always ``private``: what a list shows depends on who asks, whatever the
    upstream believes.
    """
    found = edit.members(raw)
    changes: dict[str, bytes | None] = {}
    if "resultType" not in found:
        changes["resultType"] = _COMPLETE
    row = methods.METHODS.get(method)
    if row is not None and row.cacheable and found.get("resultType") != b'"input_required"':
        changes["ttlMs"] = _ttl(found.get("ttlMs"))
        changes["cacheScope"] = _PRIVATE
    return edit.merge(raw, changes | meta.add(found, {meta.SERVER: server_info}))


def read_discover(result: bytes) -> opened.Opened:
    """An upstream's answer to ``server/discover``.

    Raises ``WireRefusal("upstream.garbage")`` when it is none or names no modern version of ours.
    """
    fields = edit.members(result)
    found = fields.get("supportedVersions")
    offered = orjson.loads(found) if found is not None else None
    if not isinstance(offered, list):
        raise WireRefusal("upstream.garbage", "no versions in its discover result")
    mutual = [version for version in versions.MODERN if version in offered]
    if not mutual:
        raise WireRefusal("upstream.garbage", "no modern version of ours in its discover result")
    told = edit.members(fields.get("_meta", b""))
    return opened.read(result, mutual[-1], told.get(meta.SERVER))


def request_params(
    params: bytes,
    *,
    client_info: bytes,
    capabilities: bytes,
    progress: Id | None = None,
    log_level: str = "",
    version: str = VERSION,
) -> bytes:
    """``params`` with the envelope a modern upstream requires."""
    keys: dict[str, bytes | None] = {
        meta.VERSION: orjson.dumps(version),
        meta.CAPABILITIES: capabilities,
        meta.CLIENT: client_info,
    }
    if progress is not None:
        keys[meta.PROGRESS] = render_id(progress)
    if log_level:
        keys[meta.LOG_LEVEL] = orjson.dumps(log_level)
    return edit.merge(params, meta.add(edit.members(params), keys))


def request_headers(method: str, params: bytes, version: str = VERSION) -> dict[str, str]:
    """The mirrored headers for ``params`` as they will be sent, without ``Mcp-Param-*``."""
    said = {"MCP-Protocol-Version": version, "Mcp-Method": method}
    row = methods.METHODS.get(method)
    if row is not None and row.mirrored:
        fields = edit.members(params)
        target = methods.target_in(row, fields)
        name = methods.text_at(fields, target.path) if target is not None else None
        if name is not None:
            said["Mcp-Name"] = headers.encode_value(name)
    return said


def result_type(raw: bytes) -> str:
    """``resultType`` of an upstream's result: ``complete`` where an older upstream says nothing,
    empty where it is no string. Anything but ``complete`` must be refused at this stage."""
    found = edit.members(raw).get("resultType")
    if found is None:
        return COMPLETE
    said = orjson.loads(found)
    return said if isinstance(said, str) else ""


def _header_version(sent: Headers | None) -> bytes | None:
    said = sent.one(headers.PROTOCOL_VERSION) if sent is not None else None
    if said is None and (sent is None or not sent.required):
        said = VERSION
    return orjson.dumps(said) if said is not None else None


def _check_mirrors(message: Message, sent: Headers, version: str, target: str | None) -> None:
    said = sent.one(headers.PROTOCOL_VERSION)
    if said != version and (said is not None or sent.required):
        raise WireRefusal("wire.header-mismatch", "MCP-Protocol-Version")
    method = sent.one(headers.METHOD)
    optional = method is None and (message.kind == "notification" or not sent.required)
    if method != message.method and not optional:
        raise WireRefusal("wire.header-mismatch", "Mcp-Method")
    name = sent.one(headers.NAME)
    if target is None or (name is None and not sent.required):
        return
    if name is None or headers.decode_value(name) != target:
        raise WireRefusal("wire.header-mismatch", "Mcp-Name")


def _ttl(said: bytes | None) -> bytes:
    value = cast("Json", orjson.loads(said)) if said is not None else 0
    whole = type(value) is int and value >= 0
    return said if said is not None and whole else b"0"
