"""JSON-RPC 2.0 messages as MCP uses them: no batches, ids that are strings or integers."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
import orjson

from lockgate.model import Json
from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

Kind = Literal["request", "notification", "response"]
Id = int | str

_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")


class Message(msgspec.Struct, frozen=True):
    """One message with its payload undecoded."""

    kind: Kind
    id: Id | None
    """None for notifications, and for an error about a message whose id could not be read."""
    method: str = ""
    params: bytes = b"{}"
    """Raw object; ``{}`` where absent."""
    result: bytes | None = None
    error: bytes | None = None


def parse(raw: bytes, limits: Limits) -> Message:
    """Read one message from either side.

    Raises ``WireRefusal`` with ``wire.batch``, ``wire.bad-id``, ``wire.bad-params``,
    ``wire.not-jsonrpc`` or a reason of ``strict_json.check``; with the id where it could be read.
    """
    tree = check(raw, limits)
    if isinstance(tree, list):
        raise WireRefusal("wire.batch")
    if not isinstance(tree, dict):
        raise WireRefusal("wire.not-jsonrpc", "not an object")
    parts = edit.members(raw)
    id = _id_of(tree, parts)
    if tree.get("jsonrpc") != "2.0":
        raise WireRefusal("wire.not-jsonrpc", 'jsonrpc is not "2.0"', id=id)
    if "method" in tree:
        return _call(tree, parts, id)
    return _response(tree, parts, id)


def exact_id(token: bytes) -> Id:
    """A request id or progress token from its JSON, exactly: ints of any size, ``1`` and ``"1"``
    apart. Raises ``WireRefusal("wire.bad-id")`` for anything else."""
    if token.startswith(b'"'):
        text: str = orjson.loads(token)
        return text
    if _INTEGER.fullmatch(token):
        return int(token)
    raise WireRefusal("wire.bad-id")


def render_id(id: Id | None) -> bytes:
    # Not orjson for integers: it stops at 64 bits.
    return str(id).encode() if isinstance(id, int) else orjson.dumps(id)


def encode_request(id: Id, method: str, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"method":%b,"params":%b}' % (
        render_id(id),
        orjson.dumps(method),
        params,
    )


def encode_notification(method: str, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (orjson.dumps(method), params)


def encode_result(id: Id, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (render_id(id), result)


def encode_error(id: Id | None, code: int, message: str, data: Json = None) -> bytes:
    body: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return encode_error_raw(id, orjson.dumps(body))


def encode_error_raw(id: Id | None, error: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (render_id(id), error)


def _id_of(tree: Mapping[str, Json], parts: Mapping[str, bytes]) -> Id | None:
    if "id" not in tree:
        return None
    said = tree["id"]
    if type(said) is int or type(said) is str:
        return said
    if said is None and "error" in tree and "method" not in tree:
        return None
    return exact_id(parts["id"])  # beyond 64 bits it was read as a float


def _call(tree: Mapping[str, Json], parts: Mapping[str, bytes], id: Id | None) -> Message:
    method = tree["method"]
    if not isinstance(method, str) or not method:
        raise WireRefusal("wire.not-jsonrpc", "method is not a string", id=id)
    if "result" in tree or "error" in tree:
        raise WireRefusal("wire.not-jsonrpc", "both a request and a response", id=id)
    params = tree.get("params")
    if params is not None and not isinstance(params, dict):
        raise WireRefusal("wire.bad-params", "params is not an object", id=id)
    raw = b"{}" if params is None else parts["params"]
    return Message("notification" if "id" not in tree else "request", id, method, raw)


def _response(tree: Mapping[str, Json], parts: Mapping[str, bytes], id: Id | None) -> Message:
    if ("result" in tree) == ("error" in tree) or "id" not in tree:
        raise WireRefusal("wire.not-jsonrpc", "neither a request nor a response", id=id)
    if "result" in tree:
        if not isinstance(tree["result"], dict):
            raise WireRefusal("wire.not-jsonrpc", "result is not an object", id=id)
        return Message("response", id, result=parts["result"])
    error = tree["error"]
    # bool is an int to Python, not to JSON-RPC.
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        raise WireRefusal("wire.not-jsonrpc", "error is not an error object", id=id)
    if not isinstance(error.get("message"), str):
        raise WireRefusal("wire.not-jsonrpc", "error has no message", id=id)
    return Message("response", id, error=parts["error"])
