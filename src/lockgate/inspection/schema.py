"""Arguments must match the tool's own ``inputSchema`` (MCP 2025-11-25 and 2026-07-28, Tools)."""

from collections import OrderedDict
from typing import Any

import jsonschema_rs
import orjson

from lockgate.model import Call, Effect, FactKey, Facts, Finding, Verdict

_CACHED_VALIDATORS = 2_000
_MOST_FINDINGS = 5


class ArgumentsMatchSchema:
    """Denies arguments that the schema refuses, and every call to a tool whose schema is unusable.

    A ``$ref`` that leaves the document is never fetched: it makes the schema unusable.
    """

    id = "inspection.schema"
    needs: frozenset[FactKey[Any]] = frozenset()

    def __init__(self) -> None:
        self._validators: OrderedDict[str, jsonschema_rs.Validator | None] = OrderedDict()

    def check(self, call: Call, facts: Facts) -> Verdict:  # noqa: ARG002
        if call.tool is None:
            return self._without_tool(call)
        validator = self._validator(call.tool.hash, call.tool.schema)
        if validator is None:
            return Verdict(self.id, Effect.DENY, "schema.unusable", because=(call.tool.name,))
        arguments = call.decoded.get("arguments", {})
        if validator.is_valid(arguments):
            return Verdict(self.id, Effect.PERMIT, "schema.valid")
        findings, said = _explain(validator, arguments)
        return Verdict(self.id, Effect.DENY, "schema.invalid", findings=findings, because=said)

    def _without_tool(self, call: Call) -> Verdict:
        if call.method == "tools/call":
            return Verdict(self.id, Effect.DENY, "schema.unusable", because=("no definition",))
        return Verdict(self.id, Effect.PERMIT, "schema.not-needed")

    def _validator(self, key: str, schema: bytes) -> "jsonschema_rs.Validator | None":
        # Memory of a pure function: the key is the hash of the definition.
        if key not in self._validators:
            while len(self._validators) >= _CACHED_VALIDATORS:
                self._validators.popitem(last=False)
            self._validators[key] = _compile(schema)
        return self._validators[key]


def _compile(schema: bytes) -> "jsonschema_rs.Validator | None":
    decoded = orjson.loads(schema)
    if not isinstance(decoded, dict):
        return None
    try:
        return jsonschema_rs.validator_for(decoded, retriever=_refuse_reference)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"reference leaves the schema: {uri}")


def _explain(
    validator: jsonschema_rs.Validator, arguments: Any
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Where it does not fit and which rule says so; never the value."""
    findings, said = [], []
    for error, _ in zip(validator.iter_errors(arguments), range(_MOST_FINDINGS), strict=False):
        pointer = "/arguments" + "".join(f"/{step}" for step in error.instance_path)
        rule = str(error.schema_path[-1]) if error.schema_path else "schema"
        findings.append(Finding(f"schema.{rule}", pointer, 0, 0))
        said.append(f"{pointer}: {rule}")
    return tuple(findings), tuple(said)
