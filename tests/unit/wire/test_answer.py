import orjson
import pytest

from lockgate.model import REASONS, Json
from lockgate.model.call import EraName
from lockgate.wire import jsonrpc
from lockgate.wire.answer import refusal
from lockgate.wire.strict_json import Limits

RESULTS = ("policy.", "quota.", "schema.", "approval.", "upstream.", "reply.", "pipeline.",
           "journal.", "obligation.", "gateway.", "call.")  # fmt: skip


def answer(
    reason: str,
    method: str = "tools/call",
    era: EraName = "modern",
    detail: str = "",
    data: dict[str, Json] | None = None,
) -> tuple[int, dict[str, Json]]:
    status, body = refusal(
        reason, id="i", method=method, call_id="c1", detail=detail, data=data, era=era
    )
    found = orjson.loads(body)
    assert isinstance(found, dict)
    assert found["id"] == "i"
    return status, found


def test_a_refused_tool_call_is_a_result_the_model_can_read() -> None:
    status, body = answer("quota.exceeded", data={"retry_after_ms": 250}, detail="Five a minute.")
    assert status == 200
    assert body["result"] == {
        "content": [
            {
                "type": "text",
                "text": "Too many calls in a short time. Five a minute. Wait, then try again."
                " [quota.exceeded · c1]",
            }
        ],
        "isError": True,
        "_meta": {
            "lockgate/reason": "quota.exceeded",
            "lockgate/call": "c1",
            "lockgate/retry_after_ms": 250,
        },
        "resultType": "complete",
    }
    _, legacy = answer("quota.exceeded", era="legacy")
    assert isinstance(legacy["result"], dict)
    assert legacy["result"].keys() == {"content", "isError", "_meta"}


@pytest.mark.parametrize("reason", [r for r in REASONS if r.startswith(RESULTS)])
def test_every_judgement_on_a_tool_call_is_a_result(reason: str) -> None:
    status, body = answer(reason)
    assert status == 200
    assert "result" in body


@pytest.mark.parametrize("reason", ["policy.denied", "quota.exceeded", "upstream.timeout"])
def test_the_same_on_another_method_is_an_error(reason: str) -> None:
    status, body = answer(reason, "resources/read", detail="d", data={"retry_after_ms": 1})
    found = REASONS[reason]
    assert status == 200
    assert body["error"] == {
        "code": found.rpc,
        "message": found.says,
        "data": {
            "reason": reason,
            "remedy": found.remedy,
            "call": "c1",
            "detail": "d",
            "retry_after_ms": 1,
        },
    }


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("wire.header-mismatch", 400, -32020),
        ("wire.unsupported-version", 400, -32022),
        ("wire.missing-meta", 400, -32602),
        ("wire.bad-params", 200, -32602),
        ("wire.too-large", 413, -32600),
        ("auth.missing", 401, -31000),
        ("session.unknown", 404, -32600),
        ("cursor.invalid", 200, -32602),
        ("resolve.unknown-tool", 200, -32602),
    ],
)
def test_transport_refusals_are_errors_with_a_status(reason: str, status: int, code: int) -> None:
    got, body = answer(reason)
    assert isinstance(body["error"], dict)
    assert (got, body["error"]["code"]) == (status, code)


def test_an_unknown_method_is_404_only_since_2026() -> None:
    assert answer("wire.unknown-method", "ping", "modern")[0] == 404
    assert answer("wire.unknown-method", "tasks/get", "legacy")[0] == 200


def test_the_supported_versions_are_in_the_data() -> None:
    _, body = answer("wire.unsupported-version", data={"supported": ["x"], "requested": "y"})
    assert isinstance(body["error"], dict)
    data = body["error"]["data"]
    assert isinstance(data, dict)
    assert (data["supported"], data["requested"]) == (["x"], "y")


def test_without_an_id_even_a_tool_call_gets_an_error() -> None:
    _, body = refusal("policy.denied", id=None, method="tools/call", call_id="c", era="modern")
    assert orjson.loads(body)["id"] is None


def test_a_reason_outside_the_catalogue_is_no_answer() -> None:
    with pytest.raises(KeyError):
        refusal("made.up", id=1, method="x", call_id="c", era="modern")


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_is_a_message_we_could_read_ourselves(reason: str) -> None:
    for method in ("tools/call", "tools/list"):
        _, body = refusal(reason, id=2**70, method=method, call_id="c", era="legacy")
        assert jsonrpc.parse(body, Limits()).id == 2**70


@pytest.mark.parametrize(
    ("reason", "status"), [("round.invalid", 400), ("round.gone", 400), ("cursor.invalid", 200)]
)
def test_state_of_ours_that_a_client_carries_wrongly_is_a_bad_request(
    reason: str, status: int
) -> None:
    found, body = answer(reason)
    assert found == status
    assert isinstance(body["error"], dict)
    assert body["error"]["code"] == -32602
