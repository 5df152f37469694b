"""An API key beside a real provider's access token: one caller, proved twice."""

from collections.abc import Iterator

import pytest
from joserfc.jwk import ECKey
from pyreqwest.client import ClientBuilder

from support.client import McpClient
from support.live_streams import stream_of
from support.oidc_provider import Provider, running_provider
from support.two_proofs import Desk, desk

pytestmark = [pytest.mark.e2e, pytest.mark.node]

DOCTOR = "--kind personal --owner doctor --role doctors"
KEYS = {
    "plain": f"{DOCTOR} --role admins",
    "narrow": f"{DOCTOR} --scope mcp:tools",
    "short": DOCTOR,
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("two"), provider, KEYS) as made:
        yield made


async def test_policy_can_ask_for_both_and_the_journal_says_so(at: Desk) -> None:
    token, key = at.token("doctor"), at.keys["plain"]
    assert await at.sees(token) == set()
    assert await at.sees(key) == {"open"}
    assert await at.sees(token, key) == {"ward"}
    actor = at.gate.rows(kind="call.intent")[-1].slots["actor"]
    assert (actor["subject"], actor["owner"]) == ("doctor", "doctor")
    assert sorted(actor["authn"]) == ["api_key", "oauth"]
    id, _, of_token = actor["credential"].partition(" ")
    assert id == key[4:16]
    assert of_token.startswith("corp:")


async def test_it_may_what_both_may(at: Desk) -> None:
    wide = at.token("doctor", "openid mcp:tools mcp:admin")
    assert await at.sees(wide) == {"office"}
    assert await at.sees(wide, at.keys["plain"]) == {"ward", "office"}
    assert await at.sees(wide, at.keys["narrow"]) == {"ward"}


async def test_a_token_that_is_bound_to_its_sender_takes_a_key_too(at: Desk) -> None:
    owner = ECKey.generate_key("P-256")
    token, key = at.token("doctor", dpop=owner), at.keys["plain"]

    def proof(nonce: str = "") -> str:
        return at.provider.proof(owner, "POST", at.gate.url, token=token, nonce=nonce)

    asked = await at.send(token, key, "DPoP", dpop=proof())
    assert (asked.status, asked.reason) == (401, "auth.nonce")
    said = await at.send(token, key, "DPoP", dpop=proof(asked.headers["dpop-nonce"]))
    assert said.status == 200
    actor = at.gate.rows(kind="call.intent")[-1].slots["actor"]
    assert sorted(actor["authn"]) == ["api_key", "dpop", "oauth"]


async def test_a_stream_ends_with_either_of_them(at: Desk) -> None:
    key, token = at.keys["short"], at.token("doctor")
    async with ClientBuilder().build() as http:
        client = McpClient(http, at.gate.url, token)
        await client.open()
        async with stream_of(client, lockgate_key=key) as stream:
            assert stream.status == 200
            assert await stream.next() is not None
            at.gate.cli("keys", "revoke", key[4:16])
            await stream.end()
    assert await at.refused(token, key) == "auth.invalid"
    assert await at.sees(token) == set(), "the token by itself goes on"
