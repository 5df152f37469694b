"""The TypeScript clients, which most desktop programs are built on, before a real gateway."""

from typing import Any

import pytest

from lockgate.model import REASONS
from support.bridge import ERAS, TRANSPORTS
from support.bridge_features import cells
from support.gateway import Gateway
from support.typescript import Came, run_client

pytestmark = [pytest.mark.e2e, pytest.mark.node]
CLIENTS = {
    ("v1", ""): "legacy",
    ("v2", "default"): "legacy",
    ("v2", "auto"): "modern",
    ("v2", "2026-07-28"): "modern",
}
"""SDK and mode, and the era that each speaks with a gateway of both."""
FEATURES: dict[str, Any] = {
    "tool call": "This is a simple text response for testing.",
    "elicitation": 'User response: action=accept, content={"username":"a","email":"a@b.c"}',
    "progress": [0, 50, 100],
    "log messages": [f"Tool {said}" for said in (
        "execution started", "processing data", "execution completed")],
    "resource subscription": "heard",
    "list changed": "heard",
    "cancellation": "cancelled",
    "sampling": "LLM response: Paris",
    "roots": "Roots: file:///work",
}  # fmt: skip
ASKED = {"elicitation": ["Who?"], "sampling": ["100"], "roots": ["roots"]}


@pytest.mark.parametrize("upstream_era", ERAS)
@pytest.mark.parametrize("way", TRANSPORTS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: "-".join(filter(None, one)))
async def test_every_feature_is_as_the_table_promises(
    bridged: Gateway, client: tuple[str, str], way: str, upstream_era: str
) -> None:
    answer = await run_client(bridged, client, way, f"http-{upstream_era}", "list", *FEATURES)
    assert answer.era == CLIENTS[client]
    assert {"test_simple_text", "test_elicitation"} <= set(answer.found["list"].came)
    promised = {
        feature: promise
        for feature, client_era, era, promise in cells()
        if (client_era, era) == (answer.era, upstream_era)
    }
    found = {name: _shown(came) for name, came in answer.found.items() if name != "list"}
    assert found == {
        name: (FEATURES[name], ASKED.get(name, [])) if promise == "passes" else (promise, [])
        for name, promise in promised.items()
    }


def _shown(came: Came) -> tuple[Any, list[str]]:
    """What came and what was asked; of a refusal its reason."""
    reasons = [code for code, one in REASONS.items() if came.error and one.says in came.error]
    return (reasons[0] if reasons else came.error or came.came), came.asked
