"""A person's sign-in at a real provider, through the gateway: found, used, refreshed, ended."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from pyreqwest.client import ClientBuilder

from support.client import McpClient, Said
from support.gateway import Gateway, child
from support.oidc_provider import AGENT, API, LOGIN, Provider, running_provider

pytestmark = [pytest.mark.e2e, pytest.mark.node]

POLICY = """
@id("doctors") permit (principal in Role::"doctors", action, resource);
@id("strong") forbid (principal, action == Action::"tools/call", resource)
  unless { principal.authn.contains("oauth") && principal.acr == "urn:acr:mfa" };
@id("lists") permit (principal, action in Action::"list", resource);
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Gateway]:
    issuers = {
        "corp": {
            "url": provider.issuer, "namespace": "", "mfa": ["urn:acr:mfa"],
            "scopes": ["mcp:tools"], "clients": {AGENT: {"agent": "desk-agent of ward 3"}},
            "introspection": {"url": f"{provider.issuer}/token/introspection", "client": API,
                              "secret": "env:CORP_SECRET"},
        }
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("oauth")
    made = Gateway(folder, {"echo": child("modern")}, POLICY, issuers=issuers)
    made.environment["CORP_SECRET"] = provider.secret_of(API)
    with made as running:
        yield running


async def send(gate: Gateway, token: str, method: str = "tools/list") -> Said:
    async with ClientBuilder().build() as http:
        client = McpClient(http, f"{gate.base}/mcp/echo", token)
        return await (client.call("echo") if method == "tools/call" else client.modern(method))


def token_of(provider: Provider, gate: Gateway, who: str, **more: str) -> str:
    return provider.token(who, resource=f"{gate.base}/mcp", **more).access_token  # type: ignore[arg-type]


async def test_a_client_finds_the_way_from_the_challenge(gate: Gateway, provider: Provider) -> None:
    said = await send(gate, "")
    assert said.status in (400, 401)
    async with ClientBuilder().build() as http:
        request = http.post(f"{gate.base}/mcp").header("content-type", "application/json")
        asked = await request.body_bytes(b"{}").build().send()
        assert asked.status == 401
        challenge = asked.headers["www-authenticate"] or ""
        place = challenge.split('resource_metadata="')[1].split('"')[0]
        assert urlsplit(place).netloc == urlsplit(gate.base).netloc
        found = await (await http.get(place).build().send()).json()
        assert found["resource"] == f"{gate.base}/mcp"
        assert found["authorization_servers"] == [provider.issuer]
        assert found["scopes_supported"] == ["mcp:tools"]
    assert (await send(gate, token_of(provider, gate, "alice"))).status == 200


async def test_roles_and_strength_of_the_sign_in_decide(gate: Gateway, provider: Provider) -> None:
    doctor = token_of(provider, gate, "doctor", acr="urn:acr:mfa", acr_values="urn:acr:mfa")
    billing = token_of(provider, gate, "bob")
    assert "isError" not in (await send(gate, doctor, "tools/call")).result
    assert (await send(gate, billing, "tools/call")).reason == "policy.denied"


async def test_a_missing_scope_says_which(gate: Gateway, provider: Provider) -> None:
    said = await send(gate, token_of(provider, gate, "alice", scope="openid"))
    assert (said.status, said.reason) == (403, "auth.scope")
    challenge = said.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="mcp:tools"' in challenge


async def test_an_opaque_token_is_asked_about_until_it_is_revoked(
    gate: Gateway, provider: Provider
) -> None:
    resource = f"{gate.base}/mcp"
    provider.set(opaque=[resource])
    try:
        opaque = token_of(provider, gate, "alice")
    finally:
        provider.set(opaque=[])
    assert opaque.count(".") < 2
    asked = len(provider.log("introspection"))
    for _ in range(3):
        assert (await send(gate, opaque)).status == 200
    assert len(provider.log("introspection")) == asked + 1


async def test_a_session_and_its_stream_outlive_the_token(
    gate: Gateway, provider: Provider
) -> None:
    tokens = provider.token(
        "alice", resource=f"{gate.base}/mcp", scope="openid mcp:tools offline_access"
    )
    async with ClientBuilder().build() as http:
        client = McpClient(http, f"{gate.base}/mcp/echo", tokens.access_token)
        session = await client.open()
        renewed = provider.grant(LOGIN, grant_type="refresh_token",
                                 refresh_token=tokens.refresh_token,
                                 resource=f"{gate.base}/mcp")  # fmt: skip
        assert renewed.access_token != tokens.access_token
        client.key = renewed.access_token
        assert (await client.legacy("tools/list", id=2)).status == 200
        assert client.session == session
        client.key = token_of(provider, gate, "bob")
        stolen = await client.legacy("tools/list", id=3)
        assert (stolen.status, stolen.reason) == (404, "session.unknown")


async def test_keys_of_the_issuer_rotate_and_it_may_be_down_for_a_while(
    gate: Gateway, provider: Provider
) -> None:
    before = token_of(provider, gate, "alice")
    assert (await send(gate, before)).status == 200
    provider.rotate_keys()
    async with asyncio.timeout(30):  # an issuer is asked once in a while for keys it did not have
        while (await send(gate, token_of(provider, gate, "alice"))).status != 200:
            pass
    provider.stop()
    try:
        assert (await send(gate, before)).status == 200
    finally:
        provider.start()


async def test_what_an_operator_revokes_ends_within_two_seconds(
    gate: Gateway, provider: Provider
) -> None:
    token = token_of(provider, gate, "alice")
    assert (await send(gate, token)).status == 200
    gate.cli("tokens", "revoke", "--issuer", "corp", "--subject", "alice")
    async with asyncio.timeout(5):
        while (await send(gate, token)).status != 401:
            pass


async def test_the_journal_names_person_agent_and_proof(gate: Gateway, provider: Provider) -> None:
    sent = provider.token("doctor", resource=f"{gate.base}/mcp", client=AGENT)
    await send(gate, sent.access_token)
    agent = "desk-agent of ward 3"
    rows = await gate.awaited(
        lambda found: [r for r in found.rows() if r.slots.get("actor", {}).get("agent") == agent]
    )
    actor = rows[-1].slots["actor"]
    assert (actor["subject"], actor["kind"]) == ("doctor", "person")
    assert "oauth" in actor["authn"]
