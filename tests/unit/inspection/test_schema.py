from typing import Any

import pytest

from lockgate.inspection.schema import ArgumentsMatchSchema
from lockgate.model import Effect, Facts
from worlds import call, list_call

NONE = Facts({})
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "s": {"type": "string", "maxLength": 3}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"n": 1}, "schema.valid"),
        ({"n": 1, "s": "abc"}, "schema.valid"),
        ({}, "schema.invalid"),
        ({"n": "1"}, "schema.invalid"),
        ({"n": 1, "s": "abcd"}, "schema.invalid"),
        ({"n": 1, "x": 1}, "schema.invalid"),
    ],
)
def test_arguments_must_match(arguments: dict[str, Any], reason: str) -> None:
    assert ArgumentsMatchSchema().check(call(schema=SCHEMA, **arguments), NONE).reason == reason


@pytest.mark.parametrize(
    "schema",
    [None, 3, {"type": "nope"}, {"$ref": "http://127.0.0.1:9/x"}, {"$ref": "#/$defs/none"}],
)
def test_a_tool_whose_schema_is_unusable_cannot_be_called(schema: object) -> None:
    broken = call(schema={"type": "x"} if schema is None else schema)
    verdict = ArgumentsMatchSchema().check(broken, NONE)
    assert (verdict.effect, verdict.reason) == (Effect.DENY, "schema.unusable")


def test_findings_say_where_and_which_rule_but_never_the_value() -> None:
    verdict = ArgumentsMatchSchema().check(call(schema=SCHEMA, n="hunter2-secret"), NONE)
    assert [(f.code, f.pointer) for f in verdict.findings] == [("schema.type", "/arguments/n")]
    assert "hunter2" not in repr(verdict)


def test_methods_without_a_schema_pass() -> None:
    assert ArgumentsMatchSchema().check(list_call(), NONE).effect is Effect.PERMIT


def test_a_recursive_schema_is_no_trap() -> None:
    schema = {
        "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
        "$ref": "#/$defs/n",
    }
    nested: dict[str, Any] = {}
    for _ in range(50):
        nested = {"n": nested}
    assert (
        ArgumentsMatchSchema().check(call(schema=schema, **nested), NONE).reason == "schema.valid"
    )
