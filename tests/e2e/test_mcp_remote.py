"""``mcp-remote``, which many desktop clients start: stdio before it, the gateway's HTTP behind."""

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from lockgate.model import REASONS
from support.bridge import ERAS, Person, client_before
from support.bridge_features import FEATURES, cells
from support.gateway import Gateway

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.node,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
SPEAKS = {"legacy": "legacy", "auto": "modern"}
"""Its ``--protocol``, and the era in which it then speaks with a gateway of both."""
NOT_ITS_OWN = {"auto": {"cancellation", "resource subscription"}}
"""What it does not do before any server of 2026-07-28, so neither before this one: it closes no
stream for ``notifications/cancelled``, and answers ``resources/subscribe`` before it listens."""


@pytest.mark.parametrize("upstream_era", ERAS)
@pytest.mark.parametrize("protocol", SPEAKS)
async def test_everything_passes_that_the_table_promises(
    bridged: Gateway, protocol: str, upstream_era: str
) -> None:
    person, pair = Person(), (SPEAKS[protocol], upstream_era)
    promised = {row[0]: row[3] for row in cells() if (row[1], row[2]) == pair}
    for feature in NOT_ITS_OWN.get(protocol, ()):
        del promised[feature]
    found = {}
    async with client_before(
        bridged, f"mcp-remote-{protocol}", "legacy", f"http-{upstream_era}", person
    ) as client:
        for feature, promise in promised.items():
            person.forget()
            found[feature] = await _tried(feature, client, person)
            assert promise == "passes" or not person.asked
    assert found == promised


async def _tried(feature: str, client: Client, person: Person) -> str:
    """``passes``, the reason of a refusal, or what else was said."""
    try:
        await FEATURES[feature](client, person, "legacy")
    except (MCPError, AssertionError, TimeoutError) as error:
        words = f"{error!r} {error}"
        return next((code for code, one in REASONS.items() if one.says in words), words)
    return "passes"
