import orjson
import pytest
from hypothesis import given

from lockgate.model import Json
from lockgate.wire import jsonrpc
from lockgate.wire.jsonrpc import Id, Message, parse
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits
from unit.wire.json_values import IDS, OBJECTS, TEXT, written

LIMITS = Limits()


def refused(raw: bytes) -> WireRefusal:
    with pytest.raises(WireRefusal) as caught:
        parse(raw, LIMITS)
    return caught.value


@given(IDS, TEXT.filter(bool), written(OBJECTS))
def test_a_request_survives_encode_and_parse(id: Id, method: str, params: bytes) -> None:
    read = parse(jsonrpc.encode_request(id, method, params), LIMITS)
    assert read == Message("request", id, method, params.strip())
    assert type(read.id) is type(id)


@given(TEXT.filter(bool), written(OBJECTS))
def test_a_notification_survives(method: str, params: bytes) -> None:
    read = parse(jsonrpc.encode_notification(method, params), LIMITS)
    assert read == Message("notification", None, method, params.strip())


@given(IDS, written(OBJECTS))
def test_a_result_survives(id: Id, result: bytes) -> None:
    read = parse(jsonrpc.encode_result(id, result), LIMITS)
    assert read == Message("response", id, result=result.strip())


@given(IDS, TEXT)
def test_an_error_survives(id: Id, message: str) -> None:
    read = parse(jsonrpc.encode_error(id, -32602, message, {"uri": "x"}), LIMITS)
    assert read.error is not None
    assert orjson.loads(read.error) == {"code": -32602, "message": message, "data": {"uri": "x"}}
    assert (read.kind, read.id) == ("response", id)


def test_an_error_about_nothing_we_could_read_has_a_null_id() -> None:
    raw = jsonrpc.encode_error(None, -32700, "no")
    assert raw == b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}'
    assert parse(raw, LIMITS).id is None


@pytest.mark.parametrize("id", [2**53 + 1, 2**64, -(10**40), "1", 1, 0, ""])
def test_ids_keep_their_type_and_value(id: Id) -> None:
    read = parse(jsonrpc.encode_request(id, "ping", b"{}"), LIMITS)
    assert read.id == id
    assert type(read.id) is type(id)


@pytest.mark.parametrize("id", ["true", "null", "1.0", "1e2", "[]", "{}"])
def test_other_ids_are_refused(id: str) -> None:
    assert refused(b'{"jsonrpc":"2.0","id":%b,"method":"x"}' % id.encode()).reason == "wire.bad-id"


@pytest.mark.parametrize("raw", [b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]'])
def test_batches_are_refused(raw: bytes) -> None:
    assert refused(raw).reason == "wire.batch"


@pytest.mark.parametrize(
    "members",
    [
        '"id":5',
        '"id":5,"method":7',
        '"id":5,"method":""',
        '"id":5,"method":"x","result":{}',
        '"id":5,"result":{},"error":{"code":1,"message":""}',
        '"id":5,"result":[]',
        '"id":5,"error":{"code":"1","message":""}',
        '"id":5,"error":{"code":true,"message":""}',
        '"id":5,"error":{"code":1}',
        '"id":5,"error":1',
    ],
)
def test_other_shapes_are_refused_with_the_id(members: str) -> None:
    refusal = refused(b'{"jsonrpc":"2.0",%b}' % members.encode())
    assert (refusal.reason, refusal.id) == ("wire.not-jsonrpc", 5)


@pytest.mark.parametrize(
    "raw",
    [b"1", b'{"result":{},"jsonrpc":"2.0"}', b'{"id":1,"method":"x"}', b'{"jsonrpc":2.0,"id":1}'],
)
def test_what_is_no_jsonrpc_is_refused(raw: bytes) -> None:
    assert refused(raw).reason == "wire.not-jsonrpc"


@pytest.mark.parametrize("params", ["[]", "1", '"x"', "true"])
def test_params_are_an_object(params: str) -> None:
    refusal = refused(b'{"jsonrpc":"2.0","id":"a","method":"x","params":%b}' % params.encode())
    assert (refusal.reason, refusal.id) == ("wire.bad-params", "a")


@pytest.mark.parametrize("rest", [b"", b',"params":null', b',"params":{}'])
def test_absent_params_are_empty(rest: bytes) -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"method":"x"%b}' % rest
    assert parse(raw, LIMITS).params == b"{}"


def test_the_strict_decoder_is_used_for_responses_too() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}'
    assert refused(raw).reason == "wire.duplicate-key"


@pytest.mark.parametrize("data", [{"a": [1]}, "x", 0])
def test_error_data_is_any_json(data: Json) -> None:
    error = orjson.loads(jsonrpc.encode_error(1, 2, "m", data))["error"]
    assert error == {"code": 2, "message": "m", "data": data}
