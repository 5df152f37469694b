from typing import Any

import pytest
from scim2_models import Error, InvalidSyntaxException, InvalidValueException
from starlette.requests import Request

from lockgate.control_plane.scim.call import Call, bounded, failed


def call(query: bytes = b"", body: bytes = b"", scheme: str = "https") -> Call:
    scope = {"type": "http", "method": "GET", "path": "/scim/v2/Users", "query_string": query,
             "headers": [(b"host", b"gate.example")], "scheme": scheme}  # fmt: skip
    return Call(Request(scope), body)


def test_where_it_was_sent_to_is_where_resources_are() -> None:
    assert call().base == "https://gate.example/scim/v2"


def test_parameters_are_asked_for_in_whatever_case() -> None:
    assert call(b"FILTER=a&startindex=2&other=3").asked("filter", "startIndex") == {
        "filter": "a",
        "startIndex": "2",
    }


def test_a_body_is_strict_json() -> None:
    assert call(body=b'{"a": [1]}').json() == {"a": [1]}
    for raw in (b"", b"{", b'{"a":1,"a":2}', b"\xff"):
        with pytest.raises(InvalidSyntaxException):
            call(body=raw).json()


@pytest.mark.parametrize(
    "said",
    [
        {"filter": "x" * 2_001},
        {"Operations": [{"PATH": "x" * 2_001}]},
        {"OPERATIONS": [{}] * 1_001},
        [{"sortBy": "x" * 2_001}],
    ],
)
def test_what_would_take_long_to_read_is_not_read(said: Any) -> None:
    with pytest.raises(InvalidValueException):
        bounded(said)


def test_long_values_are_no_expressions() -> None:
    said: Any = {"photo": "x" * 9_000, "filter": "x" * 2_000}
    assert bounded(said) is said


def test_a_failure_is_told_as_scim_says() -> None:
    answer = failed(Error(status=404, detail="gone"))
    assert (answer.status_code, answer.media_type) == (404, "application/scim+json")
