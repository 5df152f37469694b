import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lockgate.model import Session
from lockgate.wire import keys, request
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request, read
from unit.wire.json_values import OBJECTS

ENVELOPE = (
    b'"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}'
)
SESSION = Session("s", "person:ann", "/mcp", "2025-11-25", "ide/3", b"{}", 0)


def modern(method: str, members: bytes = b"", meta: bytes = b"", id: int | str = 9) -> Message:
    extra = b"," + meta if meta else b""
    rest = b"," + members if members else b""
    params = b'{"_meta":{%b%b}%b}' % (ENVELOPE, extra, rest)
    return Message("request", id, method, params)


def legacy(method: str, params: bytes = b"{}") -> Request:
    return read(Message("request", 9, method, params), None, SESSION)


def refused(
    message: Message, sent: Headers | None = None, session: Session | None = None
) -> WireRefusal:
    with pytest.raises(WireRefusal) as caught:
        read(message, sent, session)
    return caught.value


def test_a_modern_call_on_http() -> None:
    message = modern(
        "tools/call",
        b'"name":"t","arguments":{"n" : 1.00}',
        b'"acme/x":1,"progressToken":"p","traceparent":"tp"',
    )
    sent = Headers(
        [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tools/call"),
         (b"mcp-name", b"t")]
    )  # fmt: skip
    found = read(message, sent, None)
    assert (found.era, found.version, found.id, found.method) == (
        "modern", "2026-07-28", 9, "tools/call",
    )  # fmt: skip
    assert (found.name, found.names, found.progress_token) == ("t", "tool", "p")
    assert found.params == (
        b'{"_meta":{"acme/x":1,"traceparent":"tp"},"name":"t","arguments":{"n" : 1.00}}'
    )


def test_the_envelope_beats_a_session() -> None:
    assert read(modern("tools/list"), None, SESSION).era == "modern"
    assert legacy("tools/list").era == "legacy"


def test_a_modern_header_without_envelope_is_not_taken_for_legacy() -> None:
    sent = Headers([(b"mcp-protocol-version", b"2026-07-28")])
    for method in ("tools/list", "initialize"):
        refusal = refused(Message("request", 9, method), sent, SESSION)
        assert (refusal.reason, refusal.id) == ("wire.missing-meta", 9)


def test_legacy_takes_name_client_and_version_from_the_session() -> None:
    found = legacy("tools/call", b'{"name":"t","_meta":{"progressToken":1}}')
    assert (found.version, found.client, found.progress_token) == ("2025-11-25", "ide/3", 1)
    assert found.params == b'{"name":"t"}'


def test_legacy_without_session_is_refused() -> None:
    assert refused(Message("request", 9, "tools/list")).reason == "session.missing"


@pytest.mark.parametrize(
    "method",
    ["made/up", "subscriptions/listen", "elicitation/create", "tasks/get", "server/discover",
     "notifications/cancelled"],
)  # fmt: skip
def test_unknown_methods_of_legacy_do_not_pass(method: str) -> None:
    refusal = refused(Message("request", 9, method), None, SESSION)
    assert (refusal.reason, refusal.id) == ("wire.unknown-method", 9)


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "roots/list"])
def test_unknown_methods_of_modern_do_not_pass(method: str) -> None:
    assert refused(modern(method)).reason == "wire.unknown-method"


@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("tools/call", b""),
        ("tools/call", b'"name":5'),
        ("tools/call", b'"name":""'),
        ("prompts/get", b'"uri":"x"'),
        ("resources/read", b'"name":"x"'),
        ("completion/complete", b'"ref":{"type":"ref/prompt","uri":"x"}'),
        ("completion/complete", b'"ref":{"type":"ref/tool","name":"x"}'),
        ("completion/complete", b'"ref":[]'),
        ("tools/call", b'"name":"t","arguments":[1]'),
        ("tools/call", b'"name":"t","arguments":"{}"'),
        ("tools/list", b'"cursor":1'),
    ],
)
def test_params_must_fit_the_method(method: str, members: bytes) -> None:
    refusal = refused(modern(method, members))
    assert (refusal.reason, refusal.id) == ("wire.bad-params", 9)


def test_a_meta_that_is_no_object_is_refused() -> None:
    message = Message("request", 9, "tools/list", b'{"_meta":[]}')
    assert refused(message, None, SESSION).reason == "wire.bad-params"


@pytest.mark.parametrize(
    "members",
    [
        b'"name":"read","arguments":{},"Name":"delete"',
        '"name":"read","arguments":{},"argument\u017f":{"id":1}'.encode(),
        b'"name":"read","arguments":{"id":1,"ID":2}',
    ],
)
def test_what_is_judged_has_one_spelling(members: bytes) -> None:
    refusal = refused(modern("tools/call", members))
    assert (refusal.reason, refusal.id) == ("wire.ambiguous-key", 9)
    assert refused(Message("request", 9, "tools/call", b"{%b}" % members), None, SESSION).id == 9


def test_headers_that_need_not_be_there_must_still_agree() -> None:
    call = modern("tools/call", b'"name":"t"')
    assert read(call, Headers([]).optional(), None).name == "t"
    for name in (b"mcp-protocol-version", b"mcp-method", b"mcp-name"):
        other = Headers([(name, b"another")]).optional()
        assert refused(call, other).reason == "wire.header-mismatch"
    later = Headers([(b"mcp-protocol-version", b"2025-06-18")]).optional()
    assert refused(Message("request", 9, "tools/list"), later, SESSION).reason == (
        "wire.header-mismatch"
    )


@pytest.mark.parametrize(
    ("ref", "name", "names"),
    [
        (b'{"type":"ref/prompt","name":"p","uri":"u"}', "p", "prompt"),
        (b'{"type":"ref/resource","name":"p","uri":"u"}', "u", "template"),
    ],
)
def test_a_completion_is_about_what_its_type_says(ref: bytes, name: str, names: str) -> None:
    found = legacy("completion/complete", b'{"ref":%b}' % ref)
    assert (found.name, found.names) == (name, names)


def test_null_arguments_are_absent_arguments() -> None:
    assert legacy("tools/call", b'{"name":"t","arguments":null}').params == b'{"name":"t"}'


def test_features_not_carried_yet_are_taken_out() -> None:
    params = b'{"name":"t","task":{},"requestState":"s","inputResponses":{}}'
    assert legacy("tools/call", params).params == b'{"name":"t"}'


@pytest.mark.parametrize(("raw", "cursor"), [("{}", None), ('{"cursor":""}', ""),
                                             ('{"cursor":"x"}', "x")])  # fmt: skip
def test_the_empty_cursor_is_a_cursor(raw: str, cursor: str | None) -> None:
    assert legacy("tools/list", raw.encode()).cursor == cursor


def test_notifications_we_do_not_know_are_ignored_not_refused() -> None:
    found = read(Message("notification", None, "notifications/made_up"), None, SESSION)
    assert (found.kind, found.rule) == ("notification", None)
    known = read(Message("notification", None, "notifications/progress"), None, SESSION)
    assert known.rule is not None
    assert known.rule.kind == "ignored"


def test_a_refused_notification_has_no_id_to_answer() -> None:
    message = Message("notification", None, "notifications/initialized")
    assert refused(message).id is None


def test_responses_only_exist_in_sessions() -> None:
    answer = Message("response", 4, result=b"{}")
    found = read(answer, None, SESSION)
    assert (found.kind, found.id, found.rule) == ("response", 4, None)
    sent = Headers([(b"mcp-protocol-version", b"2026-07-28")])
    assert refused(answer, sent).reason == "wire.not-jsonrpc"


def test_which_request_was_cancelled() -> None:
    big = 2**70
    assert request.cancelled_id(b'{"requestId":%d}' % big) == big
    assert request.cancelled_id(b'{"requestId":"7"}') == "7"
    assert request.cancelled_id(b'{"requestId":null}') is None
    assert request.cancelled_id(b"{}") is None


def has_ambiguous_keys(params: bytes) -> bool:
    try:
        keys.check_params(params, {}, {})
    except WireRefusal:
        return True
    return False


@given(
    st.fixed_dictionaries({"name": st.just("t"), "arguments": OBJECTS, "vendor": OBJECTS}),
    st.dictionaries(st.sampled_from(["acme/a", "b", "traceparent"]), st.integers(0, 9), max_size=3),
)
def test_vendor_fields_survive_in_both_eras(
    params: dict[str, object], vendor: dict[str, int]
) -> None:
    raw = orjson.dumps(params | {"_meta": vendor})
    assume(not has_ambiguous_keys(raw))
    assert legacy("tools/call", raw).params == raw
    envelope = orjson.loads(b"{" + ENVELOPE + b"}")
    enveloped = orjson.dumps(params | {"_meta": vendor | envelope})
    found = read(Message("request", 1, "tools/call", enveloped), None, None)
    assert found.params == (raw if vendor else orjson.dumps(params))


def test_the_next_round_of_a_modern_call_brings_answers_and_state() -> None:
    members = b'"name":"t","inputResponses":{"a":{"n":1.0}},"requestState":"s"'
    found = read(modern("tools/call", members), None, None)
    assert (found.responses, found.state) == (b'{"a":{"n":1.0}}', "s")
    assert found.params == b'{"name":"t"}'
    fresh = read(modern("tools/call", b'"name":"t"'), None, None)
    assert (fresh.responses, fresh.state) == (None, None)


@pytest.mark.parametrize(
    "members",
    [b'"inputResponses":[]', b'"inputResponses":null', b'"requestState":7', b'"requestState":{}'],
)
def test_answers_and_state_of_another_shape_are_refused(members: bytes) -> None:
    refusal = refused(modern("tools/call", b'"name":"t",' + members))
    assert (refusal.reason, refusal.id) == ("wire.bad-params", 9)


def test_only_methods_that_may_be_asked_back_have_rounds_and_only_modern_ones() -> None:
    members = b'"inputResponses":{},"requestState":"s"'
    listed = read(modern("tools/list", members), None, None)
    assert (listed.responses, listed.state, listed.params) == (None, None, b"{}")
    old = legacy("tools/call", b'{"name":"t",%b}' % members)
    assert (old.responses, old.state, old.params) == (None, None, b'{"name":"t"}')


def test_the_log_level_is_the_requests_own() -> None:
    level = b'"io.modelcontextprotocol/logLevel":"%b"'
    asked = modern("tools/call", b'"name":"t"', level % b"warning")
    assert read(asked, None, None).log_level == "warning"
    assert read(modern("tools/call", b'"name":"t"'), None, None).log_level == ""
    assert refused(modern("tools/call", b'"name":"t"', level % b"loud")).reason == "wire.bad-params"


def test_what_a_task_is_told_travels_in_its_params() -> None:
    members = b'"taskId":"t","inputResponses":{"a":{"n":1.0}},"requestState":"s","task":{}'
    found = read(modern("tasks/update", members), None, None)
    assert (found.name, found.names, found.responses, found.state) == ("t", "task", None, None)
    assert found.params == b'{"taskId":"t","inputResponses":{"a":{"n":1.0}}}'
    polled = read(modern("tasks/get", members), None, None)
    assert polled.params == b'{"taskId":"t"}'


def test_a_task_is_named_in_the_header_too() -> None:
    headers = [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tasks/get")]
    message = modern("tasks/get", b'"taskId":"t"')
    assert read(message, Headers([*headers, (b"mcp-name", b"t")]), None).name == "t"
    for wrong in ([], [(b"mcp-name", b"u")]):
        refusal = refused(message, Headers([*headers, *wrong]))
        assert refusal.reason == "wire.header-mismatch"
    assert refused(modern("tasks/get", b'"taskID":"t","taskId":"t"')).reason == "wire.ambiguous-key"
    assert refused(modern("tasks/get")).reason == "wire.bad-params"
