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
    [
        None,
        3,
        {"type": "nope"},
        {"$ref": "http://127.0.0.1:9/x"},
        {"$ref": "#/$defs/none"},
        {"pattern": "^(?=a)b"},
        {"pattern": "(a)\\1"},
        {"pattern": "(?:[a-z]{1,999}){1,999}"},
    ],
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


DOUBLING = {
    "$ref": "#/$defs/a0",
    "$defs": {
        **{f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)},
        "a60": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("schema", "cause"),
    [
        (DOUBLING, "its references go in circles, or too deep"),
        ({"description": "x" * 2**18}, "more than 262144 bytes"),
        ({"enum": list(range(6_000))}, "more than 5000 values"),
    ],
    ids=["doubling", "bytes", "values"],
)
def test_a_schema_without_bounds_is_not_even_compiled(schema: object, cause: str) -> None:
    verdict = ArgumentsMatchSchema().check(call(schema=schema), NONE)
    assert (verdict.reason, verdict.because) == ("schema.unusable", ("get_patient", cause))


def test_arguments_that_would_take_long_are_not_checked() -> None:
    """Doubles with each level of the value, so only the value shows it."""
    twice = {"anyOf": [{"properties": {"x": {"$ref": "#"}}, "required": ["y"]}] * 2}
    nested: dict[str, Any] = {}
    for _ in range(50):
        nested = {"x": nested}
    verdict = ArgumentsMatchSchema().check(call(schema=twice, **nested), NONE)
    assert (verdict.effect, verdict.reason) == (Effect.DENY, "schema.unusable")


def test_a_misfit_that_takes_long_to_explain_is_not_explained() -> None:
    schema = {"properties": {"n": {"items": {"type": "integer"}}}}
    short = ArgumentsMatchSchema().check(call(schema=schema, n=["x"]), NONE)
    long = ArgumentsMatchSchema().check(call(schema=schema, n=["x"] * 20_000), NONE)
    assert short.reason == long.reason == "schema.invalid"
    assert (len(short.findings), long.findings) == (1, ())


def test_names_the_client_made_up_are_not_repeated() -> None:
    schema = {"properties": {"by": {"additionalProperties": {"items": {"type": "integer"}}}}}
    verdict = ArgumentsMatchSchema().check(call(schema=schema, by={"Ann Doe": [1, "x"]}), NONE)
    assert [f.pointer for f in verdict.findings] == ["/arguments/by/*/1"]
    assert "Ann" not in repr(verdict)
