import orjson
import pytest
from hypothesis import given

from lockgate.wire import edit, era_2026_07
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from unit.wire.json_values import OBJECTS, written

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION: b'"2026-07-28"', CAPABILITIES: b'{"x" :1}'}
CALL = Message("request", 1, "tools/call", b'{"name":"t"}')
INFO = b'{"name":"lockgate","version":"1"}'


def sent(
    version: str = "2026-07-28", method: str | None = "tools/call", name: str = "t"
) -> Headers:
    raw = [(b"mcp-protocol-version", version.encode()), (b"mcp-name", name.encode())]
    if method is not None:
        raw.append((b"mcp-method", method.encode()))
    return Headers(raw)


def refused(
    meta: dict[str, bytes], headers: Headers | None = None, message: Message = CALL
) -> WireRefusal:
    with pytest.raises(WireRefusal) as caught:
        era_2026_07.declare(message, meta, headers, "t")
    return caught.value


def test_a_client_is_what_it_declares() -> None:
    meta = META | {"io.modelcontextprotocol/clientInfo": b'{"name":"ide","version":"3"}'}
    for headers in (sent(), None):
        said = era_2026_07.declare(CALL, meta, headers, "t")
        assert (said.era, said.version, said.client) == ("modern", "2026-07-28", "ide/3")
        assert said.capabilities == b'{"x" :1}'


@pytest.mark.parametrize("key", [VERSION, CAPABILITIES])
def test_the_envelope_is_required(key: str) -> None:
    assert refused({k: v for k, v in META.items() if k != key}).reason == "wire.missing-meta"


def test_the_envelope_has_types() -> None:
    assert refused(META | {VERSION: b"5"}).reason == "wire.bad-params"
    assert refused(META | {CAPABILITIES: b"[]"}).reason == "wire.bad-params"


@pytest.mark.parametrize(
    "headers",
    [
        Headers([]),
        sent(version="2025-11-25"),
        sent(method="tools/list"),
        sent(method="Tools/call"),
        sent(method=None),
        sent(name="other"),
        sent(name="=?base64?dA=?="),
        Headers([(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tools/call")]),
        Headers([*[(b"mcp-name", b"t")] * 2, (b"mcp-method", b"tools/call"),
                 (b"mcp-protocol-version", b"2026-07-28")]),
    ],
)  # fmt: skip
def test_headers_must_repeat_the_body(headers: Headers) -> None:
    assert refused(META, headers).reason == "wire.header-mismatch"


def test_headers_that_need_not_be_there_must_still_agree() -> None:
    assert era_2026_07.declare(CALL, META, Headers([]).optional(), "t").era == "modern"
    assert era_2026_07.declare(CALL, META, sent().optional(), "t").era == "modern"
    for wrong in (sent(version="2025-11-25"), sent(method="tools/list"), sent(name="other")):
        assert refused(META, wrong.optional()).reason == "wire.header-mismatch"


def test_a_notification_without_envelope_or_header_is_modern_where_none_is_required() -> None:
    told = Message("notification", None, "notifications/cancelled")
    assert era_2026_07.declare(told, {}, Headers([]).optional(), None).version == "2026-07-28"
    assert refused({}, Headers([]), told).reason == "wire.missing-meta"


def test_an_encoded_name_is_decoded_before_it_is_compared() -> None:
    assert era_2026_07.declare(CALL, META, sent(name="=?base64?dA==?="), "t").era == "modern"


def test_disagreement_is_told_before_an_unknown_version() -> None:
    later = META | {VERSION: b'"2031-01-01"'}
    assert refused(later, sent()).reason == "wire.header-mismatch"
    refusal = refused(later, sent(version="2031-01-01"))
    assert refusal.reason == "wire.unsupported-version"
    assert refusal.data is not None
    assert refusal.data["requested"] == "2031-01-01"


def test_a_notification_needs_no_envelope_but_must_not_disagree() -> None:
    note = Message("notification", None, "notifications/cancelled")
    assert era_2026_07.declare(note, {}, sent(method=None), None).version == "2026-07-28"
    assert era_2026_07.declare(note, {}, None, None).capabilities == b"{}"
    assert refused({}, sent(), note).reason == "wire.header-mismatch"
    assert refused({}, Headers([]), note).reason == "wire.missing-meta"


def test_discover_says_who_we_are() -> None:
    raw = era_2026_07.discover_result(b'{"tools":{}}', INFO, "be kind")
    assert orjson.loads(raw) == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18"],
        "capabilities": {"tools": {}},
        "instructions": "be kind",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": orjson.loads(INFO)},
    }
    assert "instructions" not in orjson.loads(era_2026_07.discover_result(b"{}", INFO))


def test_our_own_discover_result_can_be_read() -> None:
    read = era_2026_07.read_discover(era_2026_07.discover_result(b'{"tools":{}}', INFO, "hi"))
    assert (read.version, read.capabilities, read.server_info) == (
        "2026-07-28", b'{"tools":{}}', INFO,
    )  # fmt: skip
    assert read.instructions == "hi"


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"supportedVersions":"2026-07-28","capabilities":{}}',
        b'{"supportedVersions":["2025-11-25"],"capabilities":{}}',
        b'{"supportedVersions":["2026-07-28"]}',
    ],
)
def test_what_is_no_discover_result_is_garbage(raw: bytes) -> None:
    with pytest.raises(WireRefusal) as caught:
        era_2026_07.read_discover(raw)
    assert caught.value.reason == "upstream.garbage"


def test_a_legacy_result_is_completed() -> None:
    raw = b'{ "content":[ ],"_meta":{"acme/x":1.0} }'
    done = era_2026_07.finish_result("tools/call", raw, INFO)
    assert orjson.loads(done) == {
        "content": [],
        "_meta": {"acme/x": 1.0, "io.modelcontextprotocol/serverInfo": orjson.loads(INFO)},
        "resultType": "complete",
    }
    assert done.startswith(b'{ "content":[ ],"_meta":{"acme/x":1.0,')


@pytest.mark.parametrize(
    ("ttl", "kept"), [(b"5000", 5000), (b"-1", 0), (b'"5"', 0), (b"1.5", 0), (b"true", 0)]
)
def test_a_list_is_private_whatever_its_upstream_says(ttl: bytes, kept: int) -> None:
    raw = b'{"resultType":"complete","tools":[],"ttlMs":%b,"cacheScope":"public"}' % ttl
    done = orjson.loads(era_2026_07.finish_result("tools/list", raw, INFO))
    assert (done["ttlMs"], done["cacheScope"]) == (kept, "private")


def test_the_upstreams_name_is_not_shown_as_ours() -> None:
    raw = b'{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"inner"}}}'
    assert b"inner" not in era_2026_07.finish_result("tools/call", raw, INFO)


@given(written(OBJECTS))
def test_unknown_members_keep_their_bytes(raw: bytes) -> None:
    done = edit.members(era_2026_07.finish_result("tools/list", raw, INFO))
    ours = {"resultType", "ttlMs", "cacheScope", "_meta"}
    before = {k: v for k, v in edit.members(raw).items() if k not in ours}
    assert {k: v for k, v in done.items() if k not in ours} == before


def test_an_upstream_request_carries_the_envelope_and_keeps_the_rest() -> None:
    params = b'{"name":"t" , "arguments":{"n":1.00},"_meta":{"acme/x":1}}'
    made = era_2026_07.request_params(params, client_info=INFO, capabilities=b"{}", progress=7)
    assert made.startswith(b'{"name":"t" , "arguments":{"n":1.00},"_meta":{"acme/x":1,')
    assert orjson.loads(made)["_meta"] == {
        "acme/x": 1,
        VERSION: "2026-07-28",
        CAPABILITIES: {},
        "io.modelcontextprotocol/clientInfo": orjson.loads(INFO),
        "progressToken": 7,
    }


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", '{"name":"t"}', "t"),
        ("prompts/get", '{"name":"é"}', "=?base64?w6k=?="),
        ("resources/read", '{"uri":"test://x"}', "test://x"),
        ("completion/complete", '{"ref":{"type":"ref/prompt","name":"p"}}', None),
        ("tools/list", "{}", None),
    ],
)
def test_upstream_headers_repeat_what_is_sent(method: str, params: str, name: str | None) -> None:
    headers = era_2026_07.request_headers(method, params.encode())
    assert headers["MCP-Protocol-Version"] == "2026-07-28"
    assert headers["Mcp-Method"] == method
    assert headers.get("Mcp-Name") == name


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{}", "complete"),
        (b'{"resultType":"complete"}', "complete"),
        (b'{"resultType":"input_required"}', "input_required"),
        (b'{"resultType":"task"}', "task"),
        (b'{"resultType":null}', ""),
        (b'{"resultType":1}', ""),
    ],
)
def test_the_result_type_is_told(raw: bytes, said: str) -> None:
    assert era_2026_07.result_type(raw) == said
