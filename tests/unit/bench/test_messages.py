import orjson
import pytest

from bench.messages import Dialect, fault, headers, request


@pytest.mark.parametrize("dialect", ["modern", "legacy"])
@pytest.mark.parametrize("size", [600, 16_384, 1_000_000])
def test_a_request_has_the_size_that_was_asked_for(dialect: Dialect, size: int) -> None:
    body = request(7, "echo_0", size, dialect).body
    assert abs(len(body) - size) < size * 0.05
    assert orjson.loads(body)["params"]["name"] == "echo_0"


def test_no_two_requests_are_alike() -> None:
    asks = [request(number, "echo_0", 600, "modern") for number in range(1, 400)]
    assert len({ask.text for ask in asks}) == len(asks)


def test_headers_say_what_the_dialect_asks_for() -> None:
    assert headers("echo_0", "modern")["mcp-name"] == "echo_0"
    assert headers("echo_0", "legacy", "s")["mcp-session-id"] == "s"
    assert "mcp-name" not in headers("echo_0", "legacy")


ASK = request(7, "echo_0", 600, "modern")


def reply(text: str = ASK.text, id: int = 7, **more: object) -> bytes:
    result = {"content": [{"type": "text", "text": text}], **more}
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "result": result})


def test_the_right_answer_has_no_fault() -> None:
    assert fault(ASK, 200, reply(resultType="complete")) == ""
    assert fault(ASK, 200, b"event: message\ndata: " + reply() + b"\n\n") == ""


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, reply(), "HTTP 500"),
        (200, b"no", "not JSON"),
        (200, reply(id=8), "answer to 8"),
        (200, reply(isError=True), "no result"),
        (200, b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}', "no result"),
        (200, reply("another"), "another text"),
        (200, reply(ASK.text[:-1]), "another text"),
        (200, reply(content=[]), "another text"),
    ],
)
def test_every_other_answer_has_one(status: int, body: bytes, why: str) -> None:
    assert fault(ASK, status, body).startswith(why)
