import orjson
import pytest
from hypothesis import given

from lockgate.model import Session
from lockgate.wire import edit, era_2025_11
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from unit.wire.json_values import VENDOR, written

SESSION = Session("s", "person:ann", "/mcp", "2025-06-18", "ide/3", b'{"roots":{}}', 0)
LIST = Message("request", 1, "tools/list")
INFO = b'{"name":"lockgate","version":"1"}'


def version(said: str) -> Headers:
    return Headers([(b"mcp-protocol-version", said.encode())])


def refused(message: Message, sent: Headers | None, session: Session | None) -> str:
    with pytest.raises(WireRefusal) as caught:
        era_2025_11.declare(message, sent, session)
    return caught.value.reason


def test_initialize_introduces_the_client() -> None:
    params = (
        b'{"protocolVersion":"2024-11-05","capabilities":{"roots" : {}},'
        b'"clientInfo":{"name":"ide","version":"3"}}'
    )
    said = era_2025_11.declare(Message("request", 1, "initialize", params), None, None)
    assert (said.era, said.version, said.client) == ("legacy", "2025-11-25", "ide/3")
    assert said.capabilities == b'{"roots" : {}}'


@pytest.mark.parametrize(
    "params", [b"{}", b'{"protocolVersion":5}', b'{"protocolVersion":"x","capabilities":[]}']
)
def test_a_bad_introduction_is_refused(params: bytes) -> None:
    message = Message("request", 1, "initialize", params)
    assert refused(message, None, None) == "wire.bad-params"


def test_later_the_session_speaks_for_the_client() -> None:
    for sent in (None, Headers([]), version("2025-06-18")):
        said = era_2025_11.declare(LIST, sent, SESSION)
        assert (said.version, said.client) == ("2025-06-18", "ide/3")
        assert said.capabilities == b'{"roots":{}}'


def test_the_version_header_must_be_the_sessions() -> None:
    assert refused(LIST, version("2025-11-25"), SESSION) == "wire.header-mismatch"
    assert refused(LIST, version("2024-11-05"), SESSION) == "wire.unsupported-version"
    assert refused(LIST, version("x"), None) == "wire.unsupported-version"


def test_only_ping_needs_no_session() -> None:
    assert refused(LIST, None, None) == "session.missing"
    assert era_2025_11.declare(Message("request", 1, "ping"), None, None).era == "legacy"


def test_initialize_result_and_params() -> None:
    raw = era_2025_11.initialize_result("2025-11-25", b'{"tools":{}}', INFO, "be kind")
    assert orjson.loads(raw) == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": orjson.loads(INFO),
        "instructions": "be kind",
    }
    assert orjson.loads(era_2025_11.initialize_params(INFO, b"{}")) == {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": orjson.loads(INFO),
    }


@pytest.mark.parametrize("spoken", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_old_upstreams_are_understood(spoken: str) -> None:
    raw = era_2025_11.initialize_result(spoken, b'{"tools":{}}', INFO)
    read = era_2025_11.read_initialize(raw)
    assert (read.version, read.server_info, read.instructions) == (spoken, INFO, "")


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"protocolVersion":"1999-01-01","capabilities":{}}',
        b'{"protocolVersion":["2025-11-25"],"capabilities":{}}',
        b'{"protocolVersion":"2025-11-25"}',
    ],
)
def test_what_is_no_initialize_result_is_garbage(raw: bytes) -> None:
    with pytest.raises(WireRefusal) as caught:
        era_2025_11.read_initialize(raw)
    assert caught.value.reason == "upstream.garbage"


def test_what_is_modern_is_taken_out() -> None:
    raw = (
        b'{"resultType":"complete", "content":[{"type":"text","text":"x"}],"structuredContent":[1],'
        b'"acme":1.0,"_meta":{"io.modelcontextprotocol/serverInfo":{}}}'
    )
    assert era_2025_11.finish_result("tools/call", raw) == (
        b'{"content":[{"type":"text","text":"x"}],"acme":1.0}'
    )


def test_structured_content_that_is_an_object_stays() -> None:
    raw = b'{"content":[],"structuredContent":{"a" : 1}}'
    assert era_2025_11.finish_result("tools/call", raw) == raw


def test_only_object_output_schemas_stay() -> None:
    raw = (
        b'{"tools":[{"name":"a","outputSchema":{"type":"object"}},'
        b'{"name":"b","outputSchema":{"type":"array"}, "x":1},{"name":"c","outputSchema":true},'
        b'{"name":"d"}],"ttlMs":5,"cacheScope":"public"}'
    )
    assert era_2025_11.finish_result("tools/list", raw) == (
        b'{"tools":[{"name":"a","outputSchema":{"type":"object"}},'
        b'{"name":"b", "x":1},{"name":"c"},{"name":"d"}]}'
    )


@given(written(VENDOR))
def test_what_is_not_modern_keeps_its_bytes(raw: bytes) -> None:
    assert era_2025_11.finish_result("prompts/get", raw) == raw
    assert edit.members(era_2025_11.finish_result("tools/list", raw)) == edit.members(raw)


def test_a_request_only_gets_a_progress_token() -> None:
    params = b'{"name":"t","_meta":{"traceparent":"p"}}'
    assert era_2025_11.request_params(params) == params
    made = era_2025_11.request_params(params, progress="7")
    assert made == b'{"name":"t","_meta":{"traceparent":"p","progressToken":"7"}}'
    assert era_2025_11.request_headers("2025-06-18") == {"MCP-Protocol-Version": "2025-06-18"}
