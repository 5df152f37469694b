from typing import Any

import orjson
import pytest

from lockgate.inspection.asks import AskShape
from lockgate.model import Call, Effect, Envelope, Facts
from lockgate.model.call import EraName
from lockgate.wire.capabilities import asks_of, towards
from worlds import ALICE, CLINIC, call

CAN: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
URL = {"mode": "url", "message": "Log in", "url": "https://idp.example/login"}
TEXT = {"role": "user", "content": {"type": "text", "text": "hi"}}


def asked(
    method: str,
    params: Any,
    can: Any = None,
    client: EraName = "modern",
    upstream: EraName = "modern",
) -> Call:
    declared = orjson.dumps(CAN if can is None else can)
    asks = towards(asks_of(declared), client, upstream)
    said = Envelope(era=upstream, capabilities=declared, asks=asks)
    return Call("c.q1", ALICE, method, CLINIC, "", orjson.dumps(params), envelope=said)


def verdict(ask: Call) -> str:
    found = AskShape().check(ask, Facts({}))
    assert (found.effect is Effect.PERMIT) == (found.reason in ("ask.declared", "ask.not-needed"))
    return found.reason


def form(**fields: Any) -> dict[str, Any]:
    return {"message": "?", "requestedSchema": {"type": "object", "properties": fields}}


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("elicitation/create", FORM, "ask.declared"),
        ("elicitation/create", form(a={"type": "boolean"}, b={"type": "array"}), "ask.declared"),
        ("elicitation/create", form(a={"enum": ["x"]}), "ask.declared"),
        ("elicitation/create", form(a={"type": "object"}), "ask.shape"),
        ("elicitation/create", form(a={"type": ["string", "object"]}), "ask.shape"),
        ("elicitation/create", form(a="string"), "ask.shape"),
        ("elicitation/create", {"message": "?"}, "ask.shape"),
        ("elicitation/create", form() | {"message": 7}, "ask.shape"),
        ("elicitation/create", {"message": "?", "requestedSchema": []}, "ask.shape"),
        ("elicitation/create", URL, "ask.declared"),
        ("elicitation/create", URL | {"url": "http://localhost:8080/x"}, "ask.declared"),
        ("elicitation/create", URL | {"url": "http://idp.example/"}, "ask.shape"),
        ("elicitation/create", URL | {"url": "javascript:alert(1)"}, "ask.shape"),
        ("elicitation/create", URL | {"url": "file:///etc/passwd"}, "ask.shape"),
        ("elicitation/create", {"mode": "url", "message": "?"}, "ask.shape"),
        ("sampling/createMessage", {"messages": [TEXT], "maxTokens": 9}, "ask.declared"),
        ("sampling/createMessage", {"messages": "hi"}, "ask.shape"),
        ("sampling/createMessage", {"messages": ["hi"]}, "ask.shape"),
        ("sampling/createMessage", {}, "ask.shape"),
        ("roots/list", {}, "ask.declared"),
        ("elicitation/create", FORM | {"x": "y" * 70_000}, "ask.shape"),
    ],
)
def test_a_question_has_the_shape_of_its_method(method: str, params: Any, reason: str) -> None:
    assert verdict(asked(method, params)) == reason


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("elicitation/create", FORM),
        ("sampling/createMessage", {"messages": []}),
        ("roots/list", {}),
    ],
)
def test_a_client_is_asked_only_what_it_declared(method: str, params: Any) -> None:
    assert verdict(asked(method, params, can={})) == "ask.not-declared"
    assert verdict(asked(method, params, can={"tools": {}})) == "ask.not-declared"


def test_a_mode_that_was_not_declared_is_not_asked_in() -> None:
    assert verdict(asked("elicitation/create", URL, {"elicitation": {}})) == "ask.not-declared"
    only: dict[str, Any] = {"elicitation": {"url": {}}}
    assert verdict(asked("elicitation/create", FORM, only)) == "ask.not-declared"


@pytest.mark.parametrize(("client", "upstream"), [("legacy", "modern"), ("modern", "legacy")])
def test_sampling_and_roots_stay_within_an_era(client: EraName, upstream: EraName) -> None:
    sampling = {"messages": [TEXT]}
    for method, params in (("sampling/createMessage", sampling), ("roots/list", {})):
        crossing = asked(method, params, client=client, upstream=upstream)
        assert verdict(crossing) == "ask.other-era"
        assert verdict(asked(method, params, client=client, upstream=client)) == "ask.declared"
    crossing = asked("elicitation/create", FORM, client=client, upstream=upstream)
    assert verdict(crossing) == "ask.declared"


def test_calls_to_upstreams_are_none_of_its_business() -> None:
    assert verdict(call()) == "ask.not-needed"
