"""The cells of ``docs/bridge.md`` that pass also do with two workers: a client's connections are to
either of them, an upstream's session to one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bridge import TRANSPORTS, Person, bridge, client_before
from support.bridge_features import FEATURES, cells
from support.gateway import Gateway

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

PASSES = [row[:3] for row in cells() if row[3] == "passes"]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with bridge(Path(tmp_path_factory.mktemp("workers")), workers=2) as running:
        yield running


@pytest.mark.parametrize("upstream_way", TRANSPORTS)
@pytest.mark.parametrize(("feature", "client_era", "upstream_era"), PASSES)
async def test_cell(
    two_workers: Gateway, feature: str, client_era: str, upstream_era: str, upstream_way: str
) -> None:
    person, upstream = Person(), f"{upstream_way}-{upstream_era}"
    async with client_before(two_workers, "http", client_era, upstream, person) as client:
        await FEATURES[feature](client, person, client_era)
