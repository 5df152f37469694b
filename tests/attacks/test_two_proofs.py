"""What is tried with an API key and an access token in one request: to be somebody else, or to be
allowed more than either would be."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyreqwest.client import ClientBuilder

from lockgate.identity import wrong_keys
from support.client import McpClient, Wire, http_client, mirror, posted, wire_to
from support.gateway import Gateway
from support.oidc_provider import ROBOT, Provider, running_provider
from support.tokens import OwnIssuer
from support.two_proofs import HEADER, Desk, desk
from support.upstream_endpoint import FakeEndpoint, serving

pytestmark = [pytest.mark.e2e, pytest.mark.node]

KEYS = {
    "doctor": "--kind personal --owner doctor --role doctors",
    "narrow": "--kind personal --owner doctor --role doctors --scope mcp:tools",
    "elsewhere": "--kind personal --owner doctor --role doctors --network 192.0.2.0/24",
    "other scope": "--kind personal --owner doctor --role doctors --scope tickets.read",
    "for a phone": "--kind personal --owner doctor --role doctors --agent phone",
    "bob": "--kind personal --owner bob --role billing --role doctors",
    "service": "--kind service --owner doctor --subject ward --role doctors",
    "robot": "--kind service --owner bob --subject robot --role doctors",
    "named so": "--kind service --owner doctor --subject doctor --role doctors",
    "in another case": "--kind personal --owner Doctor --role doctors",
    "ended": "--kind personal --owner doctor --role doctors",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("attacked"), provider, KEYS) as made:
        made.gate.cli("keys", "revoke", made.keys["ended"][4:16])
        yield made


async def test_what_each_is_worth(at: Desk) -> None:
    token = at.token("doctor")
    assert await at.sees(token) == set()
    assert await at.sees(at.keys["doctor"]) == {"open"}
    assert await at.sees(token, at.keys["doctor"]) == {"ward"}


@pytest.mark.parametrize(
    "key",
    ["bob", "service", "robot", "named so", "in another case", "for a phone", "other scope"],
)
async def test_a_stolen_token_beside_a_key_of_one_s_own(at: Desk, key: str) -> None:
    """And the other way round: a stolen key, and one's own token."""
    assert (await at.send(at.keys[key])).status == 200, "the key is good"
    assert await at.refused(at.token("doctor"), at.keys[key]) == "auth.mismatch"


async def test_a_stolen_key_beside_a_token_of_one_s_own(at: Desk) -> None:
    own = at.token("alice", "openid mcp:tools mcp:admin")
    assert await at.sees(own) == {"office"}
    assert await at.refused(own, at.keys["doctor"]) == "auth.mismatch"


async def test_a_program_s_token_beside_its_owner_s_key(at: Desk) -> None:
    robot = at.provider.client_credentials(ROBOT, resource=at.gate.url).access_token
    for key in ("bob", "robot"):  # the token names no owner
        assert await at.refused(robot, at.keys[key]) == "auth.mismatch"


@pytest.mark.parametrize("key", ["ended", "elsewhere"])
async def test_a_key_that_counts_no_more_beside_a_good_token(at: Desk, key: str) -> None:
    token = at.token("doctor")
    async with asyncio.timeout(10):  # a key that is revoked is noticed soon
        while (await at.send(token, at.keys[key])).status == 200:
            pass
    assert await at.refused(token, at.keys[key]) == "auth.invalid"


async def test_a_token_that_counts_no_more_beside_a_good_key(at: Desk) -> None:
    good = at.token("doctor")
    id_token = at.provider.token("doctor", resource=at.gate.url).id_token
    other = at.provider.token("doctor", resource="https://other.example/mcp").access_token
    for bad in (good[:-6] + "AAAAAA", id_token, other):
        assert await at.refused(bad, at.keys["doctor"]) == "auth.invalid"


async def test_widening_a_token_with_a_key(at: Desk) -> None:
    """Bob's key has a role that his sign-in does not give; and a key that has no scopes is, for
    some policies, one that may everything."""
    token = at.token("bob")
    assert await at.sees(token, at.keys["bob"]) == set(), "no doctor, and not without scopes"


async def test_widening_a_narrow_key_with_a_token(at: Desk) -> None:
    token = at.token("doctor", "openid mcp:tools mcp:admin")
    assert "office" not in await at.sees(token, at.keys["narrow"])
    nothing = at.token("doctor", "openid")
    assert await at.sees(nothing) == {"open"}
    assert await at.refused(nothing, at.keys["narrow"]) == "auth.mismatch", "it is not set free"


async def test_a_key_where_it_is_not_looked_for(at: Desk) -> None:
    """So that something in front, which reads another one, sees another caller."""
    token, key = at.token("doctor"), at.keys["doctor"]
    assert await at.refused(key, at.keys["bob"]) == "auth.malformed", "two keys"
    lines = {
        "two keys beside a token": (f"{HEADER}: {key}", f"{HEADER}: {key}"),
        "two in one": (f"{HEADER}: {key}, {key}",),
        "none in it": (f"{HEADER}:",),
        "as a token is sent": (f"{HEADER}: Bearer {key}",),
        "a second Authorization": (f"authorization: Bearer {key}",),
    }
    for name, more in lines.items():
        async with wire_to(at.gate.base) as wire:
            said = await asked(wire, at, token, *more)
        assert said in ("auth.malformed", "auth.invalid"), name


async def test_a_key_beside_nothing(at: Desk) -> None:
    async with wire_to(at.gate.base) as wire:
        said = await asked(wire, at, "", f"{HEADER}: {at.keys['doctor']}")
    assert said == "auth.malformed"


async def test_a_key_in_the_query_beside_a_token(at: Desk) -> None:
    for name in (HEADER, "lockgate_key", "api_key", "key"):
        async with ClientBuilder().build() as http:
            url = f"{at.gate.url}?{name}={at.keys['doctor']}"
            said = await McpClient(http, url, at.token("doctor")).modern("tools/list")
        assert (said.status, said.reason) == (400, "auth.in-query")


async def test_guessing_a_key_from_behind_one_s_own_token(at: Desk) -> None:
    token, like = at.token("doctor"), at.keys["ended"]
    guessed = like[:20] + "A" * (len(like) - 20)
    said = Counter([await at.refused(token, guessed) for _ in range(40)])
    assert said["auth.throttled"] > 0
    assert said["auth.invalid"] <= 2 * wrong_keys.TRIES_KEY
    assert (await at.send(token, at.keys["doctor"])).status == 200, "its holder goes on"


async def test_neither_reaches_a_server_behind_the_gate(tmp_path: Path) -> None:
    own, file = OwnIssuer(), tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in own.keys]}))
    issuers = {"corp": {"url": own.url, "keys_file": str(file), "namespace": ""}}
    endpoint = FakeEndpoint()
    async with serving(endpoint) as url, http_client() as http:
        gate = Gateway(tmp_path, {"far": {"url": url}}, issuers=issuers)
        key = gate.key("alice")
        async with gate:
            token = own.token(aud=gate.url)
            client = McpClient(http, gate.url, token)
            said = await client.modern("tools/list", headers={HEADER: key})
            assert said.result["tools"]
    assert endpoint.received
    shown = repr(endpoint.received).lower()
    assert not any(one in shown for one in (HEADER, key.lower(), token.lower()))


async def test_they_are_nowhere_in_journal_and_log(at: Desk) -> None:
    token, key = at.token("doctor"), at.keys["doctor"]
    assert await at.sees(token, key) == {"ward"}
    await at.refused(token, key[:-1])
    kept = repr(at.gate.journal()) + at.gate.log
    assert key[17:] not in kept
    assert token.split(".")[2][:20] not in kept


async def asked(wire: Wire, at: Desk, token: str, *lines: str) -> str:
    """The reason it is refused for."""
    raw = posted(at.gate.base, "/mcp", token, b"{}", mirror("tools/list", {}))
    if not token:
        raw = raw.replace(b"authorization: Bearer \r\n", b"")
    first, rest = raw.split(b"\r\n", 1)
    more = "".join(f"{line}\r\n" for line in (*lines, "connection: close")).encode()
    await wire.send(first + b"\r\n" + more + rest)
    return (await wire.answer()).reason
