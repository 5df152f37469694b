"""Golden transcripts, era by transport. Each line of a ``.jsonl`` file is one exchange:

* ``client`` (a message, or its text) ``becomes`` a request, or is ``refused``; a request that is
  answered here has its ``answer``;
* an ``upstream`` result or ``upstream_error`` to ``method`` becomes exactly what the
  ``client_gets``, to the byte.
"""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockgate.model import Session
from lockgate.model.call import EraName
from lockgate.wire import answer, bridge, era_2025_11, era_2026_07, jsonrpc, request, streams
from lockgate.wire.headers import Headers
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits

HERE = Path(__file__).parent
FILES = ("legacy_http", "legacy_stdio", "modern_http", "modern_stdio")
LINES = [
    pytest.param(name, json.loads(line), id=f"{name}-{number}")
    for name in FILES
    for number, line in enumerate((HERE / f"{name}.jsonl").read_text().splitlines(), 1)
]
INFO = b'{"name":"lockgate","version":"test"}'
CAPABILITIES = b'{"tools":{}}'


def carried(transport: str, message: bytes) -> bytes:
    """The message after a trip over this transport's framing."""
    if transport == "stdio":
        [line] = streams.LineDecoder(10**6).feed(streams.encode_line(message))
        return line
    [event] = streams.SseDecoder(10**6).feed(streams.encode_event(message))
    return event.data


def text_of(said: Any) -> bytes:
    return said.encode() if isinstance(said, str) else orjson.dumps(said)


def read(transport: str, line: dict[str, Any]) -> request.Request:
    message = jsonrpc.parse(carried(transport, text_of(line["client"])), Limits())
    sent = Headers((k.encode(), v.encode()) for k, v in line.get("headers", {}).items())
    version = line.get("session")
    session = Session("s", "p", "/mcp", version, "desk/1", b"{}", 0) if version else None
    return request.read(message, sent if transport == "http" else None, session)


def local_answer(found: request.Request) -> bytes:
    if found.method == "initialize":
        return era_2025_11.initialize_result(found.version, CAPABILITIES, INFO)
    return era_2026_07.discover_result(CAPABILITIES, INFO)


def check_refusal(era: EraName, refusal: WireRefusal, expected: dict[str, Any]) -> None:
    status, body = answer.refusal(
        refusal.reason, id=refusal.id, method="", call_id="c", data=refusal.data, era=era
    )
    message = orjson.loads(body)
    told = {"status": status, "id": message["id"], "code": message["error"]["code"]}
    assert told | {"reason": refusal.reason} == {k: v for k, v in expected.items() if k != "data"}
    assert expected.get("data", {}).items() <= message["error"]["data"].items()


@pytest.mark.parametrize(("name", "line"), LINES)
def test_transcript(name: str, line: dict[str, Any]) -> None:
    era: EraName = "modern" if name.startswith("modern") else "legacy"
    transport = name.partition("_")[2]
    if "upstream" in line:
        raw = carried(transport, line["upstream"].encode())
        got = bridge.finish_result(era, line["method"], raw, INFO)
        assert carried(transport, got).decode() == line["client_gets"]
    elif "upstream_error" in line:
        error = bridge.finish_error(era, line["method"], line["upstream_error"].encode())
        assert carried(transport, error).decode() == line["client_gets"]
    elif "refused" in line:
        with pytest.raises(WireRefusal) as caught:
            read(transport, line)
        check_refusal(era, caught.value, line["refused"])
    else:
        found = read(transport, line)
        for field, expected in line["becomes"].items():
            said = getattr(found, field)
            assert (said.decode() if isinstance(said, bytes) else said) == expected, field
        if "answer" in line:
            assert orjson.loads(carried(transport, local_answer(found))) == line["answer"]


def test_every_file_is_run() -> None:
    assert {path.stem for path in HERE.glob("*.jsonl")} == set(FILES)
