"""A held call, as it is kept sealed until somebody answers: all it takes to make it again."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from lockgate.model import Call, Envelope, Principal, Tool, Upstream


class StoredCall(msgspec.Struct, frozen=True):
    """``params`` are those that will be sent: after all transformations."""

    id: str
    principal: Principal
    method: str
    upstream: Upstream
    target: str
    params: bytes
    tool: Tool | None
    envelope: Envelope

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.call().arguments

    @property
    def exact(self) -> Mapping[str, Any]:
        """The same for people: see the function of this name."""
        found = exact(self.params).get("arguments")
        return found if isinstance(found, dict) else {}

    def call(self) -> Call:
        """The same call: its digest is the one that was approved."""
        return Call(self.id, self.principal, self.method, self.upstream, self.target, self.params,
                    self.tool, self.envelope)  # fmt: skip


def stored(call: Call) -> bytes:
    return msgspec.msgpack.encode(
        StoredCall(call.id, call.principal, call.method, call.upstream, call.target, call.params,
                   call.tool, call.envelope)
    )  # fmt: skip


def exact(raw: bytes) -> dict[str, Any]:
    """A JSON object, decoded but for its numbers, which ``orjson`` writes again as they came. As
    floats, those with many digits would be others than those that are sent."""
    found: dict[str, Any] = json.loads(raw, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    return found


read_stored = msgspec.msgpack.Decoder(StoredCall).decode
