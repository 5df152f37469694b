"""What is tried with access tokens, against a running gateway, over real sockets.

Two issuers are trusted: a real provider, and one whose keys lie in a file, so that each claim of a
well-signed token can be bent.
"""

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from pyreqwest.client import ClientBuilder

from support.client import McpClient, Said
from support.gateway import Gateway, child
from support.oidc_provider import AGENT, Provider, running_provider
from support.tokens import OwnIssuer, encoded, signed

pytestmark = [pytest.mark.e2e, pytest.mark.node]

OFFLINE = "https://offline.example"


class World:
    def __init__(self, gate: Gateway, provider: Provider, own: OwnIssuer) -> None:
        self.gate, self.provider, self.own = gate, provider, own
        self.resource = f"{gate.base}/mcp"

    def forged(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Well signed by the issuer whose key we have."""
        now = int(time.time())
        usual = {"iss": OFFLINE, "aud": self.resource, "iat": now, "exp": now + 60}
        return self.own.token(header, **{**usual, **changes})

    async def send(self, token: str, scheme: str = "Bearer", **headers: str) -> Said:
        async with ClientBuilder().build() as http:
            client = McpClient(http, f"{self.resource}/echo", "")
            sent = {"authorization": f"{scheme} {token}", **headers}
            return await client.modern("tools/list", headers=sent)

    async def refused(self, token: str, scheme: str = "Bearer", **headers: str) -> str:
        said = await self.send(token, scheme, **headers)
        assert said.status in (400, 401, 403), said.text
        assert token not in said.text
        return said.reason


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tokens")
    own = OwnIssuer()
    own.url = OFFLINE
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in own.keys]}))
    issuers = {
        "corp": {"url": provider.issuer},
        "offline": {"url": OFFLINE, "keys_file": str(keys)},
    }
    with Gateway(folder, {"echo": child("modern")}, issuers=issuers) as gate:
        yield World(gate, provider, own)
        assert "Traceback" not in gate.log


async def test_a_token_that_is_meant_for_us_is_let_in(world: World) -> None:
    real = world.provider.token("alice", resource=world.resource).access_token
    for token in (real, world.forged()):
        said = await world.send(token)
        assert said.status == 200, said.text


async def test_a_token_for_another_audience(world: World) -> None:
    real = world.provider.token("alice", resource="https://other.example/mcp").access_token
    assert await world.refused(real) == "auth.invalid"
    assert await world.refused(world.forged(aud=f"{world.resource}/other")) == "auth.invalid"


async def test_an_id_token_as_an_access_token(world: World) -> None:
    tokens = world.provider.token("alice", resource=world.resource)
    assert tokens.id_token
    assert await world.refused(tokens.id_token) == "auth.invalid"
    assert await world.refused(world.forged({"typ": "JWT"})) == "auth.invalid"
    assert await world.refused(world.forged({"typ": None})) == "auth.invalid"


def _unsigned(world: World) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'at+jwt'})}.{world.forged().split('.')[1]}."


def _confused(world: World) -> str:
    """HMAC under the text of the public key, as a verifier that trusts ``alg`` would check it."""
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "rsa-1"}
    said = f"{encoded(header)}.{world.forged().split('.')[1]}"
    key = world.own.keys[0]
    assert isinstance(key, RSAKey)
    public = key.as_pem(private=False)
    return f"{said}.{encoded(hmac.digest(public, said.encode(), 'sha256'))}"


def _own_key(world: World) -> str:
    """Signed with a key that the token itself brings along."""
    key = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    header = {"jwk": key.as_dict(private=False), "jku": "https://mallory.example/jwks"}
    claims = world.forged().split(".")
    taken = json.loads(jws.extract_compact(".".join(claims).encode()).payload)
    return signed({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **header}, taken, key)


def _twice(world: World) -> str:
    raw = b'{"sub":"alice","sub":"mallory"}'
    return signed({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"}, raw, world.own.keys[0])


def _other_type_of_key(world: World) -> str:
    return world.own.token({"kid": "rsa-1"}, ECKey.generate_key("P-256"), iss=OFFLINE,
                           aud=world.resource)  # fmt: skip


FORGED: dict[str, Callable[[World], str]] = {
    "alg none": _unsigned,
    "alg confusion": _confused,
    "a key of its own": _own_key,
    "a claim twice": _twice,
    "another type of key": _other_type_of_key,
    "an unknown issuer": lambda world: world.forged(iss="https://mallory.example"),
    "expired": lambda world: world.forged(exp=int(time.time()) - 31),
    "not yet valid": lambda world: world.forged(nbf=int(time.time()) + 60),
    "issued tomorrow": lambda world: world.forged(iat=int(time.time()) + 86_400),
    "never expires": lambda world: world.forged(exp=None),
    "critical extension": lambda world: world.forged({"crit": ["b64"], "b64": True}),
    "nobody's": lambda world: world.forged(sub=None),
    "bound to what we cannot check": lambda world: world.forged(cnf={"kid": "x"}),
    "bound to a certificate": lambda world: world.forged(cnf={"x5t#S256": "x"}),
    "bound to a key": lambda world: world.forged(cnf={"jkt": "x"}),
    "groups left out": lambda world: world.forged(hasgroups=True),
}


@pytest.mark.parametrize("attack", FORGED)
async def test_a_forged_or_misused_token(world: World, attack: str) -> None:
    assert await world.refused(FORGED[attack](world)) == "auth.invalid"


async def test_a_token_in_the_query(world: World) -> None:
    async with ClientBuilder().build() as http:
        url = f"{world.resource}/echo?access_token={world.forged()}"
        said = await McpClient(http, url, "").modern("tools/list", headers={"authorization": ""})
    assert (said.status, said.reason) == (400, "auth.in-query")


async def test_a_flood_of_unknown_key_ids_does_not_flood_the_issuer(world: World) -> None:
    await world.send(world.provider.token("alice", resource=world.resource).access_token)
    before = len(world.provider.log("jwks"))
    tokens = [world.forged({"kid": f"flood-{n}"}, iss=world.provider.issuer) for n in range(60)]
    assert set(await asyncio.gather(*map(world.refused, tokens))) == {"auth.invalid"}
    assert len(world.provider.log("jwks")) - before <= 2


async def test_a_stolen_bound_token_from_another_host(world: World) -> None:
    owner, thief = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    sent = world.provider.token("alice", resource=world.resource, client=AGENT, dpop=owner)
    token, url = sent.access_token, f"{world.resource}/echo"
    assert await world.refused(token) == "auth.invalid", "as a plain bearer token"
    assert await world.refused(token, "DPoP") == "auth.proof"
    said = await world.send(token, "DPoP", dpop=proof(world, thief, token, url))
    assert said.reason == "auth.proof"
    nonce = (await world.send(token, "DPoP", dpop=proof(world, owner, token, url))).headers
    good = proof(world, owner, token, url, nonce["dpop-nonce"])
    assert (await world.send(token, "DPoP", dpop=good)).status == 200
    stolen = proof(world, thief, token, url, nonce["dpop-nonce"])
    assert (await world.send(token, "DPoP", dpop=stolen)).reason == "auth.proof"


async def test_a_replayed_dpop_proof(world: World) -> None:
    owner = ECKey.generate_key("P-256")
    sent = world.provider.token("alice", resource=world.resource, client=AGENT, dpop=owner)
    token, url = sent.access_token, f"{world.resource}/echo"
    asked = await world.send(token, "DPoP", dpop=proof(world, owner, token, url))
    assert (asked.status, asked.reason) == (401, "auth.nonce")
    good = proof(world, owner, token, url, asked.headers["dpop-nonce"])
    said = await asyncio.gather(*(world.send(token, "DPoP", dpop=good) for _ in range(8)))
    assert sorted(one.status for one in said) == [200] + 7 * [401]


async def test_a_proof_for_another_request(world: World) -> None:
    owner = ECKey.generate_key("P-256")
    sent = world.provider.token("alice", resource=world.resource, client=AGENT, dpop=owner)
    token = sent.access_token
    first = await world.send(token, "DPoP", dpop=proof(world, owner, token, world.resource))
    assert first.reason == "auth.proof"


def proof(world: World, key: ECKey, token: str, url: str, nonce: str = "") -> str:
    return world.provider.proof(key, "POST", url, token=token, nonce=nonce)


async def test_tokens_are_nowhere_in_journal_and_log(world: World) -> None:
    token = world.provider.token("bob", resource=world.resource).access_token
    assert (await world.send(token)).status == 200
    await world.refused(token[:-4] + "AAAA")
    rows = await world.gate.awaited(lambda gate: [r for r in gate.rows() if r.who == "corp/bob"])
    assert rows
    kept = repr(world.gate.journal()) + world.gate.log
    assert token.split(".")[2][:20] not in kept
    assert token.split(".")[1][:40] not in kept


async def test_the_journal_says_who_through_which_agent(world: World) -> None:
    sent = world.provider.token("doctor", resource=world.resource, client=AGENT)
    assert (await world.send(sent.access_token)).status == 200
    rows = await world.gate.awaited(lambda gate: [r for r in gate.rows() if r.who == "corp/doctor"])
    actor = rows[-1].slots["actor"]
    assert (actor["agent"], sorted(actor["authn"])) == (AGENT, ["oauth"])
    assert actor["credential"].startswith("corp:")
