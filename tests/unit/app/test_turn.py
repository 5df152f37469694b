"""What a request says of its client and of earlier turns."""

from typing import Any

import pytest

from lockgate.app.turn import Turn
from lockgate.pipeline.sessions import RoundState
from lockgate.wire.request import Request
from support.holding import held_stage
from support.inquiries import inquiry
from support.staged import Speaker


def turn(**more: Any) -> Turn:
    stage = held_stage()
    state = stage.gateway.state
    request = Request("modern", "2026-07-28", 1, "tools/call", capabilities=b'{"elicitation":{}}')
    return Turn(
        request, Speaker(stage).caller(), state.gate, lambda _: None, state.questions, **more
    )


@pytest.mark.parametrize(("asked", "number"), [("q1", 2), ("q2", 0), ("", 0)])
def test_it_counts_for_the_very_question(asked: str, number: int) -> None:
    earlier = RoundState("person:alice", "/mcp", "", 0, asked=asked, turn=2)
    assert turn(earlier=earlier).number(inquiry("q1")) == number
    assert turn().number(inquiry("q1")) == 0


def test_it_asks_what_its_client_takes() -> None:
    assert turn().asks == b'{"elicitation":{"form":{}}}'
