"""Which arguments policy may read, and as what.

Only arguments that a mapping names enter the Cedar context, so that an ordinary tool with free-form
arguments does not fail Cedar's typing. The mapping covers ``tools/call``; other methods present an
empty ``arguments`` record.
"""

import decimal
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, get_args

import msgspec
import orjson

from lockgate.model import Call
from lockgate.policy.entities import Uid, action_uid, principal_uid, resource_uid
from lockgate.wire.keys import folded, respelt

ArgumentType = Literal["string", "long", "decimal", "bool", "strings"]

_LONGEST_NAME = 128
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1
# The range of Cedar's ``decimal``: a 64-bit integer with four fraction digits.
_STEP = decimal.Decimal("0.0001")
_DECIMAL_MIN, _DECIMAL_MAX = _LONG_MIN * _STEP, _LONG_MAX * _STEP
_EXACT = decimal.Context(prec=40)


class MappingInvalid(ValueError):
    """The mapping cannot be made into one Cedar schema. The text names the culprit."""


class Mistyped(msgspec.Struct, frozen=True):
    """An argument that policy reads has another type than declared, or another spelling, which a
    server may take for it. Never holds the value."""

    argument: str
    expected: ArgumentType


class ArgumentMapping(msgspec.Struct, frozen=True):
    """``tools[(upstream, tool)]`` names top-level arguments and their types.

    Raises ``MappingInvalid`` for an unknown type, an unusable name, two names of one tool that
    differ only in case, or one name with two types: there is one ``context.arguments`` record, and
    a rule over all tools must have one meaning.
    """

    tools: Mapping[tuple[str, str], Mapping[str, ArgumentType]] = {}

    def __post_init__(self) -> None:
        first: dict[str, tuple[ArgumentType, str]] = {}
        for (upstream, tool), arguments in sorted(self.tools.items()):
            if len(set(map(folded, arguments))) < len(arguments):
                raise MappingInvalid(f"two arguments of {upstream}/{tool} differ only in case")
            for name, kind in sorted(arguments.items()):
                where = f"{upstream}/{tool}"
                _check_name(name, kind, where)
                earlier, place = first.setdefault(name, (kind, where))
                if earlier != kind:
                    raise MappingInvalid(
                        f"argument {name!r} is {earlier} for {place} but {kind} for {where}"
                    )

    @property
    def types(self) -> dict[str, ArgumentType]:
        """Every mapped argument of any tool, by name."""
        return {n: kind for of in self.tools.values() for n, kind in sorted(of.items())}

    def arguments_of(self, call: Call) -> dict[str, Any] | Mistyped:
        """The mapped arguments in Cedar's JSON form; those absent or null are omitted."""
        if call.method != "tools/call":
            return {}
        found: dict[str, Any] = {}
        mapped = self.tools.get((call.upstream.name, call.target), {})
        other = respelt(call.arguments, mapped)
        if other is not None:
            return Mistyped(other, mapped[other])
        for name, kind in mapped.items():
            value = call.arguments.get(name)
            if value is None:
                continue
            if kind == "decimal" and isinstance(value, float):
                value = _as_sent(call, name)
            cedar = _CONVERT[kind](value)
            if cedar is None:
                return Mistyped(name, kind)
            found[name] = cedar
        return found


class Request(msgspec.Struct, frozen=True):
    """What is asked of Cedar, but for what only the facts know: approvals and the time."""

    principal: Uid
    action: Uid
    resource: Uid
    arguments: Mapping[str, Any]

    def context(self, approvals: Collection[str], now: int) -> str:
        """What policies read as ``context``. ``now``: milliseconds since 1970."""
        said = {"arguments": self.arguments, "approvals": sorted(approvals), "now": now}
        return orjson.dumps(said).decode()

    def cedar(self, context: str) -> dict[str, Any]:
        """The request as ``cedarpy.is_authorized`` takes it."""
        return {
            "principal": self.principal.json(),
            "action": self.action.json(),
            "resource": self.resource.json(),
            "context": context,
        }


def request_of(mapping: ArgumentMapping, call: Call) -> Request | Mistyped | None:
    """None: policy has no word for what this call is about, so nothing can permit it."""
    action, resource = action_uid(call.method), resource_uid(call)
    if action is None or resource is None:
        return None
    arguments = mapping.arguments_of(call)
    if isinstance(arguments, Mistyped):
        return arguments
    return Request(principal_uid(call.principal), action, resource, arguments)


def _check_name(name: str, kind: str, where: str) -> None:
    if kind not in get_args(ArgumentType):
        raise MappingInvalid(f"argument {name!r} of {where}: unknown type {kind!r}")
    # ``__entity`` and ``__extn`` are escapes in Cedar's JSON form; the rest keeps the schema text
    # free of quoting.
    plain = name.isprintable() and not any(c in name for c in "\"'\\")
    if not name or len(name) > _LONGEST_NAME or name.startswith("__") or not plain:
        raise MappingInvalid(f"argument {name!r} of {where}: this name cannot be used in policies")


def _as_sent(call: Call, name: str) -> object:
    """A float has lost digits; policy must judge the number that is sent."""
    try:
        return json.loads(call.params, parse_float=decimal.Decimal)["arguments"][name]
    except (ValueError, ArithmeticError):  # digits or exponents beyond what Python will read
        return None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _strings(value: object) -> list[str] | None:
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return value
    return None


def _long(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if _LONG_MIN <= value <= _LONG_MAX else None
    return None


def _decimal(value: object) -> dict[str, Any] | None:
    if isinstance(value, bool) or not isinstance(value, (int, decimal.Decimal)):
        return None
    number = decimal.Decimal(value)
    if not _DECIMAL_MIN <= number <= _DECIMAL_MAX:
        return None
    exact = number.quantize(_STEP, context=_EXACT)
    return {"__extn": {"fn": "decimal", "arg": f"{exact:f}"}} if exact == number else None


_CONVERT: dict[str, Callable[[object], Any]] = {
    "string": _string,
    "long": _long,
    "decimal": _decimal,
    "bool": _bool,
    "strings": _strings,
}
