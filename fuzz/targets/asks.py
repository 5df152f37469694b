"""What upstreams ask of clients, in both eras' forms, and what clients ask to be told."""

import orjson

from fuzz.parts import cut, is_json, json_in, object_in, text
from lockgate.inspection.asks import ask_fault
from lockgate.model import REASONS, Call, Envelope, Principal, Upstream
from lockgate.model.call import EraName
from lockgate.wire import bridge, capabilities, edit, era_2026_07_listen, meta, rounds
from lockgate.wire.methods import ASKS
from lockgate.wire.refusal import WireRefusal

_ERAS: tuple[EraName, EraName] = ("legacy", "modern")


def declared(data: bytes) -> None:
    """Parts: a client's capabilities; a question's method and params."""
    said, method, params = cut(data, 3)
    if object_in(said) is None or (decoded := object_in(params)) is None:
        return
    asks = capabilities.asks_of(said)
    assert is_json(asks)
    assert capabilities.asks_of(asks) == asks, "another spelling of the same"
    for client in _ERAS:
        for upstream in _ERAS:
            told = capabilities.towards(asks, client, upstream)
            assert is_json(told)
            assert set(orjson.loads(told)) <= set(orjson.loads(asks)), "more than was declared"
            assert capabilities.towards(told, upstream, upstream) == told
    assert capabilities.takes_tasks(asks) in (True, False)
    if text(method) in ASKS:
        _check_ask(asks, said, text(method), params, decoded)


def _check_ask(asks: bytes, said: bytes, method: str, params: bytes, decoded: object) -> None:
    assert isinstance(decoded, dict)
    takes = capabilities.declares(asks, method, decoded)
    envelope = Envelope(capabilities=said, asks=asks)
    ask = Call("c.q1", Principal("person", "ann"), method, Upstream("up"), "", params,
               envelope=envelope)  # fmt: skip
    fault = ask_fault(ask)
    assert fault == "" or fault in REASONS
    assert takes or fault
    for era in _ERAS:
        out = bridge.ask_params(era, method, params, "c.q1")
        assert is_json(out)
        before, after = edit.members(params), edit.members(out)
        ours = {"_meta", "task", "elicitationId"}
        assert {k: v for k, v in before.items() if k not in ours} == {
            k: v for k, v in after.items() if k not in ours
        }
        told = edit.members(after.get("_meta", b"{}"))
        assert not any(key.startswith(meta.OWNED) for key in told)


def input_rounds(data: bytes) -> None:
    """Parts: a result that asks for input; params of the call; the client's answers."""
    result, params, responses = cut(data, 3)
    if object_in(result) is None or object_in(params) is None or object_in(responses) is None:
        return
    asks = rounds.is_input_required(result)
    try:
        found = rounds.read_input(result)
    except WireRefusal as refusal:
        assert refusal.reason == "reply.shape"
        return
    assert {method for method, _ in found.requests.values()} <= ASKS
    again = rounds.input_result(found.requests, "own state")
    assert is_json(again)
    assert rounds.is_input_required(again)
    assert rounds.read_input(again).requests == found.requests
    assert asks in (True, False)
    more = rounds.continue_with(params, responses, found.state)
    assert is_json(more)
    told, state = rounds.read_responses("tools/call", edit.members(more))
    assert told == responses.strip()
    assert state == (orjson.loads(found.state) if found.state else None)
    given = rounds.responses_of(dict.fromkeys(found.requests, responses))
    assert is_json(given)
    assert edit.members(given).keys() == found.requests.keys()
    try:
        rounds.read_responses("tools/call", edit.members(params))
    except WireRefusal as refusal:
        assert refusal.reason == "wire.bad-params"


def listens(data: bytes) -> None:
    """Parts: the listen's params; its id; params of an event."""
    params, id, event = cut(data, 3)
    if object_in(params) is None or object_in(event) is None:
        return
    try:
        wanted = era_2026_07_listen.read_listen(params)
    except WireRefusal as refusal:
        assert refusal.reason == "wire.bad-params"
        return
    granted = era_2026_07_listen.granted(wanted)
    assert era_2026_07_listen.read_listen(granted) == wanted
    try:
        number = json_in(id)
    except WireRefusal:
        return
    if isinstance(number, int | str) and not isinstance(number, bool):
        told = era_2026_07_listen.tagged(event, number)
        assert is_json(told)
        marks = meta.read(edit.members(told))
        assert orjson.loads(marks[meta.SUBSCRIPTION]) == number
        assert is_json(era_2026_07_listen.listen_result(number))
