from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue

from lockgate.inspection.schema_bounds import (
    MOST_WORK,
    Effort,
    Schema,
    property_names,
    unbounded,
)


def doubling(levels: int, keyword: str = "anyOf") -> dict[str, Any]:
    below: dict[str, Any] = {
        f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)
    }
    below[f"a{levels}"] = {"type": "string"}
    return {"properties": {"x": {"$ref": "#/$defs/a0"}}, "$defs": below}


class Node(BaseModel):
    name: str = Field(pattern=r"^[a-z]{1,64}$")
    children: list["Node"] = []
    parent: "Node | None" = None


class Leaf(BaseModel):
    kind: Literal["leaf"]
    field: str
    value: JsonValue


class Both(BaseModel):
    kind: Literal["and"]
    left: "Leaf | Both"
    right: "Leaf | Both"


class Search(BaseModel):
    """Search: a filter, where, and anything else."""

    where: Leaf | Both = Field(discriminator="kind")
    tags: dict[str, list[str]] = {}
    page: tuple[int, int] = (0, 10)


EVERYTHING_SERVER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "Message to echo"},
        "resourceType": {"enum": ["Text", "Blob"], "default": "Text"},
        "again": {"$ref": "#/properties/message"},
        "data": {"type": "array", "items": {"type": "number"}, "uniqueItems": True},
    },
    "required": ["message"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema",
    [{}, EVERYTHING_SERVER, Node.model_json_schema(), Search.model_json_schema(), doubling(5)],
)
def test_schemas_of_real_servers_are_bounded(schema: Schema) -> None:
    assert unbounded(schema) == ""
    tree: dict[str, Any] = {"name": "a"}
    for _ in range(5):
        tree = {"name": "a", "children": [tree] * 2, "where": {"kind": "and", "left": tree}}
    assert Effort(schema).on({"name": "a", "children": [{"name": "b"}] * 500}) < MOST_WORK
    assert Effort(schema).on(tree) < MOST_WORK


@pytest.mark.parametrize(
    ("schema", "cause"),
    [
        (doubling(20), "references are followed"),
        (doubling(20, "allOf"), "references are followed"),
        (doubling(60), "circles, or too deep"),
        ({"allOf": [{"$ref": "#"}]}, "circles"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "circles"),
        ({"properties": {"x": {"not": {"$ref": "#/properties/x"}}}}, "circles"),
        ({"dependentSchemas": {"x": {"$ref": "#"}}}, "circles"),
        ({"enum": list(range(5_000))}, "more than 5000 values"),
        ({"allOf": [{"pattern": "a"}] * 101}, "more than 100 patterns"),
        ({"patternProperties": {f"a{n}": {} for n in range(101)}}, "more than 100 patterns"),
        ({"$ref": "http://127.0.0.1:9/x"}, "leaves the schema"),
        ({"$ref": 7}, "leaves the schema"),
        ({"$ref": "#/$defs/none"}, "to nothing"),
        ({"$ref": "#here", "$defs": {"a": {"$anchor": "here"}}}, "another name"),
        ({"items": {"$dynamicRef": "#"}}, "dynamic"),
        ({"properties": {"x": {"$id": "http://x/"}}}, "id of its own"),
    ],
)
def test_what_has_no_bound_is_told_why(schema: Schema, cause: str) -> None:
    assert cause in unbounded(schema)


def test_a_circle_through_a_member_is_bounded_by_the_value() -> None:
    twice = {"anyOf": [{"properties": {"x": {"$ref": "#"}}}] * 2}
    assert unbounded(twice) == ""
    deep: dict[str, Any] = {}
    for _ in range(5):
        deep = {"x": deep}
    assert Effort(twice).on(deep) < MOST_WORK
    for _ in range(40):
        deep = {"x": deep}
    assert Effort(twice).on(deep) > MOST_WORK


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "[ab]*a[ab]{400}c"}, "a" * 2**20),
        ({"pattern": "(?:[ab]{1,30}){1,30}c"}, "a" * 2**18),
        ({"patternProperties": {"[ab]*a[ab]{400}c": {}}}, {"a" * 2**20: 1}),
        ({"allOf": [{"uniqueItems": True}] * 50}, list(range(100_000))),
        ({"items": {"multipleOf": 1e-300}}, [1.7e308] * 10_000),
        ({"items": {"enum": [f"k{n}" for n in range(4_000)]}}, ["x"] * 2_000),
        ({"items": {"required": [f"k{n}" for n in range(4_000)]}}, [{}] * 2_000),
    ],
)
def test_what_one_keyword_costs_is_counted(schema: Schema, value: Any) -> None:
    assert unbounded(schema) == ""
    assert Effort(schema).on(value) > MOST_WORK


def test_what_no_keyword_looks_at_costs_nothing() -> None:
    assert Effort({"type": "object"}).on({"x": ["y" * 1_000] * 1_000}) < 10
    base64 = {"properties": {"file": {"type": "string", "pattern": "^[A-Za-z0-9+/=]+$"}}}
    assert Effort(base64).on({"file": "a" * 2**20}) < MOST_WORK


def test_property_names_are_those_of_every_properties() -> None:
    schema = {"properties": {"a": {}}, "$defs": {"d": {"items": {"properties": {"b": True}}}}}
    assert property_names(schema) == {"a", "b"}
    assert property_names({"properties": 7, "required": ["a"]}) == frozenset()


REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/$defs/b"]).map(lambda to: {"$ref": to})
SCHEMAS = st.recursive(
    REFERENCES | st.just({"type": "object"}) | st.booleans(),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "properties": st.dictionaries(st.sampled_from("xy"), inner),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=8,
)
DOCUMENTS = st.builds(
    lambda root, a, b: {**(root if isinstance(root, dict) else {}), "$defs": {"a": a, "b": b}},
    *[SCHEMAS] * 3,
)
VALUES = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=8,
)


def visits(root: Any, schema: Any, value: Any) -> int:
    """Schemas applied, all branches taken, counted one by one."""
    if not isinstance(schema, dict):
        return 1
    here = [*schema.get("anyOf", []), *([schema["not"]] if "not" in schema else [])]
    if "$ref" in schema:
        where = schema["$ref"].split("/")
        here.append(root["$defs"][where[2]] if len(where) == 3 else root)
    below: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        named = schema.get("properties", {})
        other = schema.get("additionalProperties", True)
        below = [(named.get(name, other), one) for name, one in value.items()]
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = [schema.get("items", True)] * len(value)
        below = list(zip([*first, *rest[len(first) :]], value, strict=False))
    asked = [(s, v) for s, v in below if isinstance(s, dict)]
    in_all = bool(schema) + sum(visits(root, branch, value) for branch in here)
    return in_all + sum(visits(root, s, v) for s, v in asked)


@given(DOCUMENTS, VALUES)
def test_the_bound_is_never_below_the_count(schema: Schema, value: Any) -> None:
    if unbounded(schema) == "":
        work = Effort(schema).on(value)
        assert work > MOST_WORK or work >= visits(schema, schema, value)
