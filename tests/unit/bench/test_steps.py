import pytest

from bench.steps import LOOP, by_step, hottest, rows, step_of

RUN = "lockgate/app/program.py:serve_command;uvicorn/server.py:serve"
APP = f"{RUN};lockgate/app/ingress_http.py:__call__"


@pytest.mark.parametrize(
    ("stack", "step"),
    [
        (RUN, LOOP),
        ("asyncio/events.py:_run", LOOP),
        (APP, 1),
        (f"{APP};lockgate/app/gateway.py:handle;lockgate/wire/jsonrpc.py:parse", 2),
        (f"{APP};lockgate/app/gateway.py:_finish;lockgate/wire/edit.py:merge", 13),
        (f"{APP};lockgate/upstream/exchange.py:_read;lockgate/wire/jsonrpc.py:parse", 11),
        ("lockgate/pipeline/run.py:run;lockgate/policy/cedar.py:check;cedarpy/__init__.py:x", 6),
        ("lockgate/pipeline/record.py:outcome;lockgate/pipeline/record.py:_event", 14),
        ("lockgate/pipeline/run.py:run;lockgate/pipeline/record.py:intent", 10),
    ],
)
def test_the_innermost_frame_that_belongs_to_one_step_decides(stack: str, step: int) -> None:
    assert step_of(stack) == step


def test_time_is_added_up_and_divided_by_calls() -> None:
    stacks = {APP: 3_000, f"{APP};lockgate/identity/api_key.py:authenticate": 1_000}
    assert by_step(stacks) == {1: 3_000, 3: 1_000}
    found = {name: (each, share) for _, name, each, share in rows(stacks, 2)}
    assert found["receive"] == ("1.5", "75 %")
    assert found["authenticate"] == ("0.5", "25 %")
    assert found["forward"] == ("0.0", "0 %")
    assert hottest(stacks, 1) == [("lockgate/app/ingress_http.py:__call__", 3_000)]
