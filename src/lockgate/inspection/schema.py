"""Arguments must match the tool's own ``inputSchema`` (MCP 2025-11-25 and 2026-07-28, Tools)."""

from collections import OrderedDict
from typing import Any

import jsonschema_rs
import msgspec
import orjson

from lockgate.inspection.schema_bounds import (
    MOST_BYTES,
    MOST_WORK,
    Effort,
    Unbounded,
    property_names,
)
from lockgate.model import Call, Effect, FactKey, Facts, Finding, Verdict

_CACHED_VALIDATORS = 2_000
_MOST_FINDINGS = 5
_EXPLAINED_WORK = 10_000
"""Saying what does not fit costs some 20 us where finding out that it does not costs 50 ns."""
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=2**16, dfa_size_limit=2**20)
"""Linear in the text. Look-around and back-references are not, and are not taken."""


_VALID = Verdict("inspection.schema", Effect.PERMIT, "schema.valid")


class _Checker(msgspec.Struct, frozen=True):
    validator: jsonschema_rs.Validator
    effort: Effort
    names: frozenset[str]
    """Of properties, anywhere in the schema: the only names that may be repeated."""


class ArgumentsMatchSchema:
    """Denies arguments that the schema refuses, and every call to a tool whose schema is unusable.

    A ``$ref`` that leaves the document is never fetched: it makes the schema unusable. So does
    what could take long to check: a pattern that is not linear, references that multiply.
    """

    id = "inspection.schema"
    needs: frozenset[FactKey[Any]] = frozenset()

    def __init__(self) -> None:
        self._checkers: OrderedDict[str, _Checker | str] = OrderedDict()

    def check(self, call: Call, facts: Facts) -> Verdict:  # noqa: ARG002
        if call.tool is None or call.method != "tools/call":
            return self._without_tool(call)
        checker = self._checker(call.tool.hash, call.tool.schema)
        if isinstance(checker, str):
            because = (call.tool.name, checker)
            return Verdict(self.id, Effect.DENY, "schema.unusable", because=because)
        arguments = call.decoded.get("arguments", {})
        work = checker.effort.on(arguments)
        if work > MOST_WORK:
            because = (call.tool.name, "too much work on these arguments")
            return Verdict(self.id, Effect.DENY, "schema.unusable", because=because)
        if checker.validator.is_valid(arguments):
            return _VALID
        findings, said = _explain(checker, arguments) if work <= _EXPLAINED_WORK else ((), ())
        return Verdict(self.id, Effect.DENY, "schema.invalid", findings=findings, because=said)

    def _without_tool(self, call: Call) -> Verdict:
        if call.method == "tools/call":
            return Verdict(self.id, Effect.DENY, "schema.unusable", because=("no definition",))
        return Verdict(self.id, Effect.PERMIT, "schema.not-needed")

    def _checker(self, key: str, schema: bytes) -> _Checker | str:
        # Memory of a pure function: the key is the hash of the definition.
        if key not in self._checkers:
            while len(self._checkers) >= _CACHED_VALIDATORS:
                self._checkers.popitem(last=False)
            self._checkers[key] = _compile(schema)
        return self._checkers[key]


def _compile(schema: bytes) -> _Checker | str:
    """Or why not: never with anything that the schema says."""
    if len(schema) > MOST_BYTES:
        return f"more than {MOST_BYTES} bytes"
    decoded = orjson.loads(schema)
    if not isinstance(decoded, dict):
        return "not an object"
    try:
        effort = Effort(decoded)
        validator = jsonschema_rs.validator_for(
            decoded, retriever=_refuse_reference, pattern_options=_PATTERNS
        )
    except Unbounded as cause:
        return str(cause)
    except (ValueError, jsonschema_rs.ReferencingError):
        return "not a JSON Schema, or one with a pattern that is not linear"
    return _Checker(validator, effort, property_names(decoded))


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"reference leaves the schema: {uri}")


def _explain(checker: _Checker, arguments: Any) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Where it does not fit and which rule says so; never the value, nor a name the client made up:
    both may be personal data, and what is said here is kept."""
    findings, said = [], []
    errors = checker.validator.iter_errors(arguments)
    for error, _ in zip(errors, range(_MOST_FINDINGS), strict=False):
        pointer = "/arguments" + "".join(f"/{_known(checker, s)}" for s in error.instance_path)
        rule = str(error.schema_path[-1]) if error.schema_path else "schema"
        findings.append(Finding(f"schema.{rule}", pointer, 0, 0))
        said.append(f"{pointer}: {rule}")
    return tuple(findings), tuple(said)


def _known(checker: _Checker, step: str | int) -> str | int:
    return step if isinstance(step, int) or step in checker.names else "*"
