"""A person's yes to one digest, for a time."""

import hashlib

import msgspec
import orjson

from lockgate.model.call import Call
from lockgate.model.facts import FactKey


class Binding(msgspec.Struct, frozen=True):
    """What an approval is a yes to. A value of its own beside ``Call.digest``: the same call under
    a changed tool definition or a changed policy is another question."""

    call: str
    tool: str
    """Hash of the tool's definition; empty where the call names no tool."""
    policy: str
    """Hash of the policy set that asked."""
    labels: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        body = orjson.dumps([self.call, self.tool, self.policy, self.labels])
        return hashlib.sha256(b"lockgate/approve/v1\0" + body).hexdigest()


class Approval(msgspec.Struct, frozen=True):
    """Not a permission: a fact in a new evaluation. Used once."""

    id: str
    binding: str
    """``Binding.digest`` of what was approved."""
    factor: str
    approver: str
    expires: int
    """Milliseconds since the Unix epoch."""

    def covers(self, binding: Binding, now: int) -> bool:
        return self.binding == binding.digest and now < self.expires


APPROVALS: FactKey[tuple[Approval, ...]] = FactKey("approvals", exact=True)
"""Unused approvals on record for this call's digest. May hold some for other bindings."""


def binding_of(call: Call, policy: str) -> Binding:
    return Binding(call.digest, call.tool.hash if call.tool else "", policy)
