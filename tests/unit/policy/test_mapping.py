from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call
from lockgate.policy.mapping import (
    ArgumentMapping,
    ArgumentType,
    MappingInvalid,
    Mistyped,
    Request,
    request_of,
)
from worlds import ALICE, CLINIC, call, list_call

KINDS: dict[str, ArgumentType] = {
    "name": "string",
    "count": "long",
    "amount": "decimal",
    "urgent": "bool",
    "tags": "strings",
}
MAPPING = ArgumentMapping({("clinic", "pay"): KINDS})


def raw(arguments: str) -> Call:
    params = b'{"name":"pay","arguments":{' + arguments.encode() + b"}}"
    return Call("1", ALICE, "tools/call", CLINIC, "pay", params)


def decimal(arg: str) -> Any:
    return {"__extn": {"fn": "decimal", "arg": arg}}


def test_only_mapped_arguments_enter_and_null_is_omitted() -> None:
    made = call("pay", name="x", urgent=None, count=3, free={"form": [1]}, tags=["a", "b"])
    assert MAPPING.arguments_of(made) == {"name": "x", "count": 3, "tags": ["a", "b"]}


def test_other_tools_and_methods_present_no_arguments() -> None:
    assert MAPPING.arguments_of(call("other", name="x")) == {}
    prompt = Call("1", ALICE, "prompts/get", CLINIC, "pay", b'{"arguments":{"name":"x"}}')
    assert MAPPING.arguments_of(prompt) == {}


@pytest.mark.parametrize(
    ("sent", "argument"),
    [
        ('"name":3', "name"),
        ('"name":["a"]', "name"),
        ('"count":true', "count"),
        ('"count":1.0', "count"),
        ('"count":"1"', "count"),
        ('"count":9223372036854775808', "count"),
        ('"count":-9223372036854775809', "count"),
        ('"urgent":1', "urgent"),
        ('"urgent":"true"', "urgent"),
        ('"tags":"a"', "tags"),
        ('"tags":["a",1]', "tags"),
        ('"tags":{"a":1}', "tags"),
        ('"amount":"1.5"', "amount"),
        ('"amount":true', "amount"),
        ('"amount":1.00001', "amount"),
        ('"amount":1e-5', "amount"),
        ('"amount":1e-400', "amount"),
        ('"amount":1e300', "amount"),
        ('"amount":922337203685477.5808', "amount"),
        ('"amount":100.00000000000000000001', "amount"),
        ('"amount":123456789012345678901234567890', "amount"),
    ],
)
def test_another_type_than_declared_is_an_error(sent: str, argument: str) -> None:
    assert MAPPING.arguments_of(raw(sent)) == Mistyped(argument, KINDS[argument])


@pytest.mark.parametrize("name", ["Count", "COUNT", "coun\uff54"])
@pytest.mark.parametrize("exact", ["", '"count":1,'])
def test_another_spelling_of_what_policy_reads_is_an_error(name: str, exact: str) -> None:
    assert MAPPING.arguments_of(raw(f'{exact}"{name}":2')) == Mistyped("count", "long")


def test_two_names_of_one_tool_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(MappingInvalid, match="two arguments of a/one differ only in case"):
        ArgumentMapping({("a", "one"): {"id": "long", "ID": "string"}})
    ArgumentMapping({("a", "one"): {"id": "long"}, ("a", "two"): {"ID": "string"}})


@pytest.mark.parametrize(
    ("number", "cedar"),
    [
        ("1", "1.0000"),
        ("-1.5", "-1.5000"),
        ("0.1", "0.1000"),
        ("1e2", "100.0000"),
        ("-0.0", "-0.0000"),
        ("922337203685477.5807", "922337203685477.5807"),
        ("-922337203685477.5808", "-922337203685477.5808"),
    ],
)
def test_decimals_keep_the_digits_that_were_sent(number: str, cedar: str) -> None:
    assert MAPPING.arguments_of(raw(f'"amount":{number}')) == {"amount": decimal(cedar)}


def test_one_name_with_two_types_is_refused() -> None:
    with pytest.raises(MappingInvalid, match="'x' is long for a/one but string for b/two"):
        ArgumentMapping({("a", "one"): {"x": "long"}, ("b", "two"): {"x": "string"}})


@pytest.mark.parametrize("name", ["", "__entity", "__extn", 'a"b', "a\\b", "a\nb", "a" * 129])
def test_names_that_policy_cannot_spell_are_refused(name: str) -> None:
    with pytest.raises(MappingInvalid, match="cannot be used"):
        ArgumentMapping({("a", "one"): {name: "long"}})


def test_an_unknown_type_is_refused() -> None:
    kinds = msgspec.convert({"x": "number"}, dict[str, Any])
    with pytest.raises(MappingInvalid, match="unknown type 'number'"):
        ArgumentMapping({("a", "one"): kinds})


def test_a_request_carries_who_what_and_context() -> None:
    asked = request_of(MAPPING, call("pay", count=3))
    assert isinstance(asked, Request)
    said = asked.cedar(asked.context({"b", "a"}, 5))
    assert orjson.loads(said.pop("context")) == {
        "arguments": {"count": 3},
        "approvals": ["a", "b"],
        "now": 5,
    }
    assert said == {
        "principal": {"type": "Person", "id": "alice"},
        "action": {"type": "Action", "id": "tools/call"},
        "resource": {"type": "Tool", "id": "clinic/pay"},
    }


def test_what_policy_has_no_word_for_makes_no_request() -> None:
    assert request_of(MAPPING, list_call("logging/setLevel")) is None
    odd = msgspec.structs.replace(CLINIC, name="a/b")
    assert request_of(MAPPING, call("pay", upstream=odd)) is None
