"""A person's yes to exactly one question, for a time."""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Literal

import msgspec
import orjson

from lockgate.model.call import Call
from lockgate.model.facts import FactKey
from lockgate.model.verdict import Decision, Effect

Grounds = tuple[tuple[str, str], ...]
"""Control id and hash of what in it decided, sorted."""


class Binding(msgspec.Struct, frozen=True):
    """What an approval is a yes to. A value of its own beside ``Call.digest``: the same call under
    a changed tool definition, or under changed policies of those that decided, is another question.
    Who asks, through which agent, and the upstream's address are in ``Call.digest``."""

    call: str
    tool: str
    """Hash of the tool's definition; empty where the call names no tool."""
    grounds: Grounds
    labels: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        body = orjson.dumps([self.call, self.tool, self.grounds, self.labels])
        return hashlib.sha256(b"lockgate/approve/v1\0" + body).hexdigest()


_EXACT = 2.0**53
"""From here on one float stands for several whole numbers, of which the call has one."""


class Bound(msgspec.Struct, frozen=True):
    """What one argument may be."""

    pointer: str
    """JSON pointer (RFC 6901) below the arguments, of member names."""
    is_: Literal["equals", "one-of", "at-most", "at-least"]
    values: tuple[str | int | float | bool, ...]

    def holds(self, arguments: Mapping[str, Any]) -> bool:
        """False also where there is no such argument, or it is of another type."""
        found: Any = arguments
        for name in self.pointer.split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                return False
            found = found[name]
        if self.is_ in ("equals", "one-of"):
            plain = isinstance(found, str | int | float | bool)
            if isinstance(found, float) and abs(found) >= _EXACT:
                return False
            return plain and any(type(found) is type(v) and found == v for v in self.values)
        return _number(found) and all(_fits(self.is_, found, v) for v in self.values)


class Scope(msgspec.Struct, frozen=True):
    """Which calls a grant is for, instead of one digest."""

    principal: str
    agent: str
    upstream: str
    fingerprint: str
    target: str
    bounds: tuple[Bound, ...]
    """All must hold, and no value may come, at any depth, that none of them names."""

    def takes(self, call: Call) -> bool:
        place = (call.principal.id, call.principal.agent, call.upstream.name,
                 call.upstream.fingerprint, call.target)  # fmt: skip
        mine = (self.principal, self.agent, self.upstream, self.fingerprint, self.target)
        if call.method != "tools/call" or place != mine:
            return False
        named = {bound.pointer for bound in self.bounds}
        inside = all(bound.holds(call.arguments) for bound in self.bounds)
        return inside and set(leaves(call.arguments)) <= named


class Approval(msgspec.Struct, frozen=True):
    """Not a permission: a fact in a new evaluation. Used once, or as often as a grant says."""

    id: str
    """Of the request it came of."""
    binding: Binding
    factor: str
    approvers: tuple[str, ...]
    """Identities."""
    expires: int
    """Milliseconds since the Unix epoch."""
    scope: Scope | None = None
    """With a grant: which calls, instead of ``binding.call``."""

    def covers(self, call: Call, control: str, grounds: str, now: int) -> bool:
        """Whether it answers what ``control`` asks about ``call`` on these ``grounds``."""
        tool = call.tool.hash if call.tool else ""
        asked = (control, grounds) in self.binding.grounds and self.binding.tool == tool
        mine = self.scope.takes(call) if self.scope else self.binding.call == call.digest
        return asked and mine and now < self.expires


APPROVALS: FactKey[tuple[Approval, ...]] = FactKey("approvals", exact=True)
"""Unused approvals on record that may be for this call."""


def binding_of(call: Call, grounds: Mapping[str, str]) -> Binding:
    """``grounds``: hash of what decided, by control id."""
    tool = call.tool.hash if call.tool else ""
    return Binding(call.digest, tool, tuple(sorted(grounds.items())))


def question_of(call: Call, decision: Decision) -> Binding:
    """What a person is asked where ``decision`` holds ``call``."""
    return binding_of(call, {v.control: v.grounds for v in holding(decision)})


def holding(decision: Decision) -> Iterator[Any]:
    """The verdicts that wait for a person."""
    return (v for v in decision.verdicts if v.enforced and v.effect is Effect.HOLD)


def leaves(arguments: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """JSON pointers of all that is no object, and of empty objects. What is in an array has none of
    its own: an array is one value."""
    for name, value in arguments.items():
        pointer = f"{above}/{name.replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, dict) and value:
            yield from leaves(value, pointer)
        else:
            yield pointer


def _number(found: object) -> bool:
    whole = isinstance(found, int) and not isinstance(found, bool)
    return whole or (isinstance(found, float) and isfinite(found))


def _fits(is_: str, found: Any, limit: Any) -> bool:
    if not _number(limit):
        return False
    one, other = _decimal(found), _decimal(limit)
    return one <= other if is_ == "at-most" else one >= other


def _decimal(found: int | float) -> Decimal:
    """As it is written: 0.1 is a tenth."""
    return Decimal(found) if isinstance(found, int) else Decimal(repr(found))
