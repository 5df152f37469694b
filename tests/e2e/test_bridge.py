"""Every cell of the table in ``docs/bridge.md``, over every pair of transports."""

import pytest

from lockgate.model import REASONS
from support.bridge import ERAS, TRANSPORTS, Person, client_before
from support.bridge_features import FEATURES, cells, words_of
from support.gateway import Gateway

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


def test_the_table_names_every_feature_and_every_pair_of_eras() -> None:
    found = cells()
    assert {feature for feature, *_ in found} == set(FEATURES)
    assert {(client, upstream) for _, client, upstream, _ in found} == {
        (client, upstream) for client in ERAS for upstream in ERAS
    }


@pytest.mark.parametrize("upstream_way", TRANSPORTS)
@pytest.mark.parametrize("client_way", TRANSPORTS)
@pytest.mark.parametrize(("feature", "client_era", "upstream_era", "promise"), cells())
async def test_cell(
    bridged: Gateway,
    feature: str,
    client_era: str,
    upstream_era: str,
    promise: str,
    client_way: str,
    upstream_way: str,
) -> None:
    person, upstream = Person(), f"{upstream_way}-{upstream_era}"
    async with client_before(bridged, client_way, client_era, upstream, person) as client:
        if promise == "passes":
            await FEATURES[feature](client, person, client_era)
            return
        told = await words_of(FEATURES[feature](client, person, client_era))
    assert promise in REASONS
    assert promise in told or REASONS[promise].says in told
    assert not person.asked


@pytest.mark.parametrize("upstream_era", ERAS)
@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_client_that_speaks_both_eras_has_what_modern_clients_have(
    bridged: Gateway, way: str, upstream_era: str
) -> None:
    person, upstream = Person(), f"http-{upstream_era}"
    async with client_before(bridged, way, "auto", upstream, person) as client:
        assert client.protocol_version == "2026-07-28"
        for feature, client_era, era, promise in cells():
            if (client_era, era, promise) == ("modern", upstream_era, "passes"):
                person.forget()
                await FEATURES[feature](client, person, "modern")
