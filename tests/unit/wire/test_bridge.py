from typing import Any

import orjson
import pytest

from lockgate.model import Envelope
from lockgate.model.call import EraName
from lockgate.wire import bridge

INFO = b'{"name":"lockgate"}'


def test_results_are_finished_for_the_clients_era() -> None:
    raw = b'{"tools":[],"acme":1.0}'
    modern = bridge.finish_result("modern", "tools/list", raw, INFO)
    assert orjson.loads(modern)["cacheScope"] == "private"
    assert bridge.finish_result("legacy", "tools/list", modern, INFO) == raw


@pytest.mark.parametrize(
    ("era", "method", "error", "code"),
    [
        ("modern", "resources/read", {"code": -32002, "message": ""}, -32602),
        ("legacy", "resources/read", {"code": -32602, "message": "", "data": {"uri": "x"}}, -32002),
        ("legacy", "resources/read", {"code": -32602, "message": ""}, -32602),
        ("modern", "resources/read", {"code": -32602, "message": "", "data": {"uri": "x"}}, -32602),
        ("legacy", "resources/read", {"code": -32002, "message": ""}, -32002),
        ("modern", "tools/call", {"code": -32002, "message": ""}, -32002),
        ("legacy", "tools/call", {"code": -32602, "message": "", "data": {"uri": "x"}}, -32602),
        ("legacy", "tools/call", {"code": -32020, "message": ""}, -32603),
        ("modern", "tools/call", {"code": -32022, "message": ""}, -32603),
        ("modern", "tools/call", {"code": -32021, "message": ""}, -32021),
        ("legacy", "tools/call", {"code": -32021, "message": ""}, -32603),
        ("modern", "tools/call", {"code": -32042, "message": ""}, -32603),
        ("modern", "tools/call", {"code": 7, "message": ""}, 7),
    ],
)
def test_error_codes_mean_something_to_the_client(
    era: EraName, method: str, error: dict[str, Any], code: int
) -> None:
    told = orjson.loads(bridge.finish_error(era, method, orjson.dumps(error)))
    assert told == error | {"code": code}


def test_an_error_that_needs_no_change_keeps_its_bytes() -> None:
    raw = b'{ "code" : -32000 , "message":"x", "acme":1.0}'
    assert bridge.finish_error("modern", "tools/call", raw) == raw
    assert bridge.finish_error("modern", "resources/read", raw.replace(b"-32000", b"-32002")) == (
        raw.replace(b"-32000", b"-32602")
    )


def test_requests_are_shaped_for_the_upstreams_era() -> None:
    params = b'{"name":"t"}'
    asks = b'{"elicitation":{"form":{}},"sampling":{}}'
    said = Envelope(era="legacy", capabilities=b'{"elicitation":{},"x":1}', asks=asks)
    legacy = bridge.request_params("legacy", params, said, client_info=INFO, progress=None)
    assert legacy == params
    modern = bridge.request_params("modern", params, said, client_info=INFO, progress=3)
    meta = orjson.loads(modern)["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {"form": {}}}
    assert meta["progressToken"] == 3


def test_headers_are_shaped_for_the_upstreams_era() -> None:
    schema = b'{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}'
    params = b'{"name":"t","arguments":{"region":"eu"}}'
    assert bridge.request_headers("modern", "2026-07-28", "tools/call", params, schema) == {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "t",
        "Mcp-Param-Region": "eu",
    }
    assert bridge.request_headers("legacy", "2025-06-18", "tools/call", params, schema) == {
        "MCP-Protocol-Version": "2025-06-18"
    }
    bare = bridge.request_headers("modern", "2026-07-28", "tools/call", b'{"name":"t"}', schema)
    assert "Mcp-Param-Region" not in bare


URL = b'{"mode":"url","message":"m","elicitationId":"upstream-7","url":"https://x.example/"}'


def test_a_question_goes_on_without_what_is_the_upstreams_own() -> None:
    asked = (
        b'{"message":"m","task":{"ttl":1},"n":1.0,'
        b'"_meta":{"progressToken":3,"io.modelcontextprotocol/x":1,"acme/y":2}}'
    )
    for client in ("legacy", "modern"):
        said = bridge.ask_params(client, "elicitation/create", asked, "c-1.q1")
        assert said == b'{"message":"m","n":1.0,"_meta":{"acme/y":2}}'


def test_an_elicitation_by_url_has_an_id_of_ours_where_the_client_knows_ids() -> None:
    legacy = orjson.loads(bridge.ask_params("legacy", "elicitation/create", URL, "c-1.q1"))
    assert legacy == orjson.loads(URL) | {"elicitationId": "c-1.q1"}
    modern = orjson.loads(bridge.ask_params("modern", "elicitation/create", URL, "c-1.q1"))
    assert "elicitationId" not in modern
    assert modern["url"] == "https://x.example/"
