from typing import Any

import mcp_types.methods as spec
import orjson
import pytest

from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rounds import (
    MOST_REQUESTS,
    ROUNDS,
    continue_with,
    input_result,
    is_input_required,
    read_input,
    read_responses,
    responses_of,
)

ASK = b'{"method":"elicitation/create","params":{"message":"Sure?","n":1.00}}'
ASKING = b'{"resultType":"input_required","inputRequests":{"a":%b},"requestState":"s\\u00e9"}' % ASK


def test_the_methods_with_rounds_are_those_of_the_specification() -> None:
    assert ROUNDS == spec.INPUT_REQUIRED_METHODS


@pytest.mark.parametrize(
    ("raw", "asks"),
    [
        (ASKING, True),
        (b'{"resultType":"input_required"}', True),
        (b'{"resultType":"complete","content":[{"text":"input_required"}]}', False),
        (b'{"content":[]}', False),
    ],
)
def test_a_result_that_asks_is_told_from_one_that_answers(raw: bytes, asks: bool) -> None:
    assert is_input_required(raw) is asks


def test_what_is_asked_keeps_its_bytes() -> None:
    found = read_input(ASKING)
    assert found.requests == {"a": ("elicitation/create", b'{"message":"Sure?","n":1.00}')}
    assert found.state == b'"s\\u00e9"'


def test_either_half_may_be_missing_but_not_both() -> None:
    assert read_input(b'{"requestState":""}').state == b'""'
    assert read_input(b'{"inputRequests":{"r":{"method":"roots/list"}}}').requests == {
        "r": ("roots/list", b"{}")
    }
    for nothing in (b"{}", b'{"inputRequests":{}}'):
        with pytest.raises(WireRefusal, match=r"reply\.shape"):
            read_input(nothing)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"inputRequests":[%b]}' % ASK,
        b'{"inputRequests":{"a":"elicitation/create"}}',
        b'{"inputRequests":{"a":{"params":{}}}}',
        b'{"inputRequests":{"a":{"method":7}}}',
        b'{"inputRequests":{"a":{"method":"tools/call","params":{}}}}',
        b'{"inputRequests":{"a":{"method":"ping"}}}',
        b'{"inputRequests":{"a":{"method":"roots/list","params":[]}}}',
        b'{"inputRequests":{"a":%b},"requestState":7}' % ASK,
        b'{"inputRequests":{"a":%b},"requestState":null}' % ASK,
    ],
)
def test_what_no_specification_names_is_not_asked(raw: bytes) -> None:
    with pytest.raises(WireRefusal, match=r"reply\.shape"):
        read_input(raw)


def test_there_is_a_limit_to_what_is_asked_at_once() -> None:
    def asking(count: int) -> bytes:
        return b'{"inputRequests":{%b}}' % b",".join(b'"%d":%b' % (n, ASK) for n in range(count))

    assert len(read_input(asking(MOST_REQUESTS)).requests) == MOST_REQUESTS
    with pytest.raises(WireRefusal, match=r"reply\.shape"):
        read_input(asking(MOST_REQUESTS + 1))


def test_what_the_gateway_asks_reads_back_as_asked() -> None:
    raw = input_result({'k"1': ("roots/list", b'{"x":1.0}')}, "state")
    assert is_input_required(raw)
    found = read_input(raw)
    assert found.requests == {'k"1': ("roots/list", b'{"x":1.0}')}
    assert found.state == b'"state"'


def test_the_next_round_is_the_same_request_with_answers_and_state() -> None:
    params = b'{"name":"t","arguments":{"n":1.0}}'
    answers = responses_of({"a": b'{"action":"decline"}', "b": b'{"n":2.0}'})
    more = continue_with(params, answers, b'"s\\u00e9"')
    assert more == (
        b'{"name":"t","arguments":{"n":1.0},'
        b'"inputResponses":{"a":{"action":"decline"},"b":{"n":2.0}},"requestState":"s\\u00e9"}'
    )
    assert continue_with(params, None, None) == params
    assert orjson.loads(continue_with(more, b"{}", None)) == {
        **orjson.loads(params), "inputResponses": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, (None, None)),
        ({"inputResponses": b'{"a":{}}', "requestState": b'"s"'}, (b'{"a":{}}', "s")),
        ({"requestState": b'""'}, (None, "")),
        ({"requestState": b"null"}, (None, None)),
    ],
)
def test_what_a_client_carries_is_read(fields: dict[str, bytes], found: Any) -> None:
    assert read_responses("tools/call", fields) == found


@pytest.mark.parametrize(
    "fields", [{"inputResponses": b"[]"}, {"requestState": b"1"}, {"requestState": b'["s"]'}]
)
def test_what_has_another_shape_is_refused(fields: dict[str, bytes]) -> None:
    with pytest.raises(WireRefusal, match=r"wire\.bad-params"):
        read_responses("tools/call", fields)
