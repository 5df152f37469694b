import orjson
import pytest
from hypothesis import given

from lockgate.wire import rewrite
from unit.wire.json_values import VENDOR, written


def rename(name: str) -> str:
    return "up__" + name


@pytest.mark.parametrize(
    ("method", "raw", "outer"),
    [
        (
            "tools/list",
            b'{"tools":[ {"name" : "a","x":1.0},{"name":"b","_meta":{"ui":{"resourceUri":"ui:x"},'
            b'"ui/resourceUri":"ui:y"}}],"nextCursor":"c"}',
            b'{"tools":[ {"name" : "up__a","x":1.0},{"name":"up__b","_meta":{"ui":{"resourceUri":'
            b'"ui://lockgate/up/ui%3Ax"},"ui/resourceUri":"ui://lockgate/up/ui%3Ay"}}],'
            b'"nextCursor":"c"}',
        ),
        ("prompts/list", b'{"prompts":[{"name":"p"}]}', b'{"prompts":[{"name":"up__p"}]}'),
        (
            "resources/list",
            b'{"resources":[{"uri":"t:1","name":"n"}]}',
            b'{"resources":[{"uri":"lockgate+up:t:1","name":"n"}]}',
        ),
        (
            "resources/templates/list",
            b'{"resourceTemplates":[{"uriTemplate":"ui://{x}"}]}',
            b'{"resourceTemplates":[{"uriTemplate":"ui://lockgate/up/ui://{x}"}]}',
        ),
        (
            "resources/read",
            b'{"contents":[{"uri":"t:1","text":"t:1"}]}',
            b'{"contents":[{"uri":"lockgate+up:t:1","text":"t:1"}]}',
        ),
        (
            "tools/call",
            b'{"content":[{"type":"text","text":"t:1"},{"type":"resource_link","uri":"t:1"},'
            b'{"type":"resource","resource":{"uri":"t:2","text":""}},{"type":"acme","uri":"t:3"}],'
            b'"structuredContent":{"uri":"t:4"}}',
            b'{"content":[{"type":"text","text":"t:1"},'
            b'{"type":"resource_link","uri":"lockgate+up:t:1"},'
            b'{"type":"resource","resource":{"uri":"lockgate+up:t:2","text":""}},'
            b'{"type":"acme","uri":"t:3"}],"structuredContent":{"uri":"t:4"}}',
        ),
        (
            "tools/call",
            b'{"content":[{"\\u0074ype":"resource_link","\\u0075ri":"t:1"}]}',
            b'{"content":[{"\\u0074ype":"resource_link","\\u0075ri":"lockgate+up:t:1"}]}',
        ),
        (
            "prompts/get",
            b'{"messages":[{"content":{"type":"resource","resource":{"uri":"t:1"}}},'
            b'{"content":[{"type":"resource_link","uri":"t:2"}]}]}',
            b'{"messages":[{"content":{"type":"resource","resource":{"uri":"lockgate+up:t:1"}}},'
            b'{"content":[{"type":"resource_link","uri":"lockgate+up:t:2"}]}]}',
        ),
        (
            "tasks/get",
            b'{"taskId":"uri","result":{"content":[{"type":"resource_link","uri":"t:1"}]}}',
            b'{"taskId":"uri","result":{"content":'
            b'[{"type":"resource_link","uri":"lockgate+up:t:1"}]}}',
        ),
        ("tasks/get", b'{"taskId":"t","error":{"data":{"uri":"t:1"}}}', None),
        ("completion/complete", b'{"completion":{"values":["uri"]}}', None),
        ("tools/list", b'{"tools":[{"name":5},7],"name":"x"}', None),
    ],
)
def test_results_get_outer_names_and_keep_the_rest(
    method: str, raw: bytes, outer: bytes | None
) -> None:
    assert rewrite.rewrite_result(method, raw, "up", rename) == (raw if outer is None else outer)


def test_a_name_outside_the_table_stays() -> None:
    raw = b'{"tools":[{"name":"b"}]}'
    assert rewrite.rewrite_result("tools/list", raw, "up", {"a": "x"}.__getitem__) == raw


def test_an_error_names_the_clients_uri() -> None:
    raw = b'{"code":-32002,"message":"x","data":{"uri":"t:1"}}'
    assert orjson.loads(rewrite.rewrite_error(raw, "up"))["data"] == {"uri": "lockgate+up:t:1"}
    assert rewrite.rewrite_error(b'{"code":1,"data":"uri"}', "up") == b'{"code":1,"data":"uri"}'


@pytest.mark.parametrize(
    ("method", "params", "inner"),
    [
        ("tools/call", b'{"name":"up__t","arguments":{"a":1.0}}',
         b'{"name":"in","arguments":{"a":1.0}}'),
        ("prompts/get", b'{"name":"up__t"}', b'{"name":"in"}'),
        ("resources/read", b'{"uri":"lockgate+up:x"}', b'{"uri":"in"}'),
        ("completion/complete", b'{"ref":{"type":"ref/prompt","name":"x","uri":"u"}}',
         b'{"ref":{"type":"ref/prompt","name":"in","uri":"u"}}'),
        ("completion/complete", b'{"ref":{"type":"ref/resource","uri":"u"}}',
         b'{"ref":{"type":"ref/resource","uri":"in"}}'),
        ("tasks/update", b'{"taskId":"outer","inputResponses":{"uri":{}}}',
         b'{"taskId":"in","inputResponses":{"uri":{}}}'),
        ("tools/list", b'{"name":"x"}', b'{"name":"x"}'),
        ("made/up", b'{"name":"x"}', b'{"name":"x"}'),
    ],
)  # fmt: skip
def test_requests_get_the_inner_name(method: str, params: bytes, inner: bytes) -> None:
    assert rewrite.rewrite_params(method, params, "in") == inner


@given(written(VENDOR))
def test_results_of_any_shape_keep_their_bytes(raw: bytes) -> None:
    for method in ("tools/list", "tools/call", "prompts/get", "resources/read"):
        assert rewrite.rewrite_result(method, raw, "up", rename) == raw
