"""Multi round-trip requests (MCP 2026-07-28, SEP-2322): a result that asks for more input, and the
same request again with the answers."""

from collections.abc import Mapping

import msgspec
import orjson

from lockgate.wire import edit
from lockgate.wire.methods import ASKS
from lockgate.wire.refusal import WireRefusal

INPUT_REQUIRED = "input_required"
ROUNDS = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods that may be answered so."""
MOST_REQUESTS = 32

RESPONSES = b"inputResponses"
_STATE = "requestState"


class Input(msgspec.Struct, frozen=True):
    """What an upstream asks for before it goes on."""

    requests: Mapping[str, tuple[str, bytes]]
    """Method and raw params of each, under the upstream's own key."""
    state: bytes | None = None
    """Raw JSON string, to be sent back as it is."""


def is_input_required(raw: bytes) -> bool:
    """Whether a result asks for input. Cheap for those that cannot."""
    return b"input" in raw and edit.get(raw, "/resultType") == b'"input_required"'


def read_input(raw: bytes) -> Input:
    """Raises ``WireRefusal("reply.shape")`` for anything that is not well-formed, or asks for
    what no specification names."""
    found = edit.members(raw)
    asked, state = found.get("inputRequests", b"{}"), found.get(_STATE)
    if state is not None and not state.startswith(b'"'):
        raise WireRefusal("reply.shape")
    requests = read_requests(asked)
    if not (requests or state):
        raise WireRefusal("reply.shape")
    return Input(requests, state)


def read_requests(raw: bytes) -> dict[str, tuple[str, bytes]]:
    """Method and raw params of each of ``inputRequests``. Raises ``WireRefusal("reply.shape")``."""
    if not edit.is_object(raw):
        raise WireRefusal("reply.shape")
    requests = {key: _request(one) for key, one in edit.members(raw).items()}
    if len(requests) > MOST_REQUESTS:
        raise WireRefusal("reply.shape")
    return requests


def input_result(requests: Mapping[str, tuple[str, bytes]], state: str) -> bytes:
    """A result that asks ``requests``, with the gateway's own ``state``. None: the client comes
    again at once (SEP-2322, load shedding)."""
    asked = b",".join(
        b'%b:{"method":%b,"params":%b}' % (orjson.dumps(key), orjson.dumps(method), params)
        for key, (method, params) in requests.items()
    )
    asks = b'"inputRequests":{%b},' % asked if requests else b""
    return b'{"resultType":"input_required",%b"requestState":%b}' % (asks, orjson.dumps(state))


def continue_with(params: bytes, responses: bytes | None, state: bytes | None) -> bytes:
    """The request's params for its next round. ``responses`` and ``state`` are raw JSON."""
    return edit.merge(params, {RESPONSES.decode(): responses, _STATE: state})


def responses_of(answers: Mapping[str, bytes]) -> bytes:
    """``inputResponses`` from each answer's raw result."""
    return b"{%b}" % b",".join(b"%b:%b" % (orjson.dumps(k), raw) for k, raw in answers.items())


def read_responses(method: str, fields: Mapping[str, bytes]) -> tuple[bytes | None, str | None]:
    """``inputResponses`` and ``requestState`` of a request. Raises ``WireRefusal``."""
    if method not in ROUNDS:
        return None, None
    responses, state = fields.get(RESPONSES.decode()), fields.get(_STATE)
    if responses is not None and not edit.is_object(responses):
        raise WireRefusal("wire.bad-params", "inputResponses is not an object")
    said = orjson.loads(state) if state is not None else None
    if said is not None and not isinstance(said, str):
        raise WireRefusal("wire.bad-params", "requestState is not a string")
    return responses, said


def _request(raw: bytes) -> tuple[str, bytes]:
    found = edit.members(raw)
    method = orjson.loads(found.get("method", b"null"))
    params = found.get("params", b"{}")
    if not isinstance(method, str) or method not in ASKS or not edit.is_object(params):
        raise WireRefusal("reply.shape")
    return method, params
