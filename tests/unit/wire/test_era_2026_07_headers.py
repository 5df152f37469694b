from typing import Any

import mcp.shared.inbound as sdk
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.era_2026_07_headers import (
    check_param_headers,
    invalid_annotations,
    mentions,
    param_headers,
)
from lockgate.wire.headers import Headers
from lockgate.wire.refusal import WireRefusal

SCHEMA = orjson.dumps(
    {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "days": {"type": "integer", "x-mcp-header": "Days"},
            "deep": {
                "type": "object",
                "properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}},
            },
            "free": {"type": "string", "default": {"x-mcp-header": "not one"}},
        },
    }
)


def marked(**schema: Any) -> bytes:
    return orjson.dumps({"type": "object", "properties": {"a": schema}})


@pytest.mark.parametrize(
    "schema",
    [
        marked(type="string", **{"x-mcp-header": ""}),
        marked(type="string", **{"x-mcp-header": "a b"}),
        marked(type="string", **{"x-mcp-header": 5}),
        marked(type="number", **{"x-mcp-header": "A"}),
        marked(type=["string", "null"], **{"x-mcp-header": "A"}),
        marked(**{"x-mcp-header": "A"}),
        marked(type="array", items={"type": "string", "x-mcp-header": "A"}),
        marked(anyOf=[{"type": "string", "x-mcp-header": "A"}]),
        orjson.dumps({"type": "string", "x-mcp-header": "A"}),
        orjson.dumps({"$defs": {"d": {"type": "string", "x-mcp-header": "A"}}}),
        orjson.dumps(
            {
                "properties": {
                    "a": {"type": "string", "x-mcp-header": "A"},
                    "b": {"type": "string", "x-mcp-header": "a"},
                }
            }
        ),
        orjson.dumps({"items": {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}}),
    ],
)
def test_annotations_that_make_a_tool_undeliverable(schema: bytes) -> None:
    assert invalid_annotations(schema)
    assert sdk.find_invalid_x_mcp_header(orjson.loads(schema)) is not None
    assert param_headers(schema, {"a": "x"}) == {}


def test_good_annotations_and_mere_values_are_fine() -> None:
    assert not invalid_annotations(SCHEMA)
    assert not invalid_annotations(b"{}")
    assert not invalid_annotations(b"true")


def test_arguments_are_repeated_where_the_schema_says() -> None:
    arguments = {"region": "é", "days": 2.0, "deep": {"flag": True}, "free": "x"}
    assert param_headers(SCHEMA, arguments) == {
        "Mcp-Param-Region": "=?base64?w6k=?=",
        "Mcp-Param-Days": "2",
        "Mcp-Param-Flag": "true",
    }
    assert param_headers(SCHEMA, {"region": None, "deep": 5}) == {}


def test_an_escaped_annotation_is_found_too() -> None:
    schema = SCHEMA.replace(b"x-mcp-header", b"x\\u002dmcp-header")
    assert param_headers(schema, {"region": "eu"}) == {"Mcp-Param-Region": "eu"}


def sent(**values: str) -> Headers:
    return Headers([(f"mcp-param-{k}".encode(), v.encode()) for k, v in values.items()])


@pytest.mark.parametrize(
    ("headers", "arguments"),
    [
        (sent(), {"region": "eu"}),
        (sent(region="us"), {"region": "eu"}),
        (sent(region="eu"), {}),
        (sent(region="eu"), {"region": None}),
        (sent(region="EU"), {"region": "eu"}),
        (sent(region="=?base64?*?="), {"region": "eu"}),
        (sent(days="2.5"), {"days": 2}),
        (sent(days="2e0"), {"days": 2}),
        (sent(days="True"), {"days": True}),
        (sent(flag="1"), {"deep": {"flag": True}}),
        (sent(region="x"), {"region": ["x"]}),
        (Headers([(b"mcp-param-region", b"eu"), (b"Mcp-Param-Region", b"eu")]), {"region": "eu"}),
    ],
)
def test_every_disagreement_is_refused(headers: Headers, arguments: dict[str, Any]) -> None:
    with pytest.raises(WireRefusal) as caught:
        check_param_headers(headers, SCHEMA, arguments)
    assert caught.value.reason == "wire.header-mismatch"


@pytest.mark.parametrize(
    ("headers", "arguments"),
    [
        (sent(), {}),
        (sent(unknown="x"), {}),
        (sent(region="=?base64?ZXU=?="), {"region": "eu"}),
        (sent(days="2"), {"days": 2.0}),
        (sent(days="2.0"), {"days": 2}),
        (sent(flag="false"), {"deep": {"flag": False}}),
    ],
)
def test_agreement_passes(headers: Headers, arguments: dict[str, Any]) -> None:
    check_param_headers(headers, SCHEMA, arguments)


def test_headers_that_need_not_be_there_must_still_agree() -> None:
    check_param_headers(Headers([]).optional(), SCHEMA, {"region": "eu"})
    check_param_headers(sent(region="eu").optional(), SCHEMA, {"region": "eu"})
    for arguments in ({"region": "us"}, {}):
        with pytest.raises(WireRefusal):
            check_param_headers(sent(region="eu").optional(), SCHEMA, arguments)


ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.none() | st.text(),
        "days": st.integers(-(2**53), 2**53),
        "deep": st.fixed_dictionaries({}, optional={"flag": st.booleans()}),
    },
)


@given(ARGUMENTS)
def test_what_we_send_upstream_agrees_with_what_is_checked_here_and_there(
    arguments: dict[str, Any],
) -> None:
    made = param_headers(SCHEMA, arguments)
    headers = Headers([(k.encode(), v.encode()) for k, v in made.items()])
    check_param_headers(headers, SCHEMA, arguments)
    assert sdk.validate_mcp_param_headers(orjson.loads(SCHEMA), arguments, made) is None
    assert mentions(headers) is bool(made)
