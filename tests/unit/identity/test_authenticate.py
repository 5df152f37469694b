"""What each kind of evidence is worth. The tokens are good: others are ``test_bearer_token``'s."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lockgate.app.identities import Identities
from lockgate.identity.api_key import mint
from lockgate.identity.certificate import Named
from lockgate.identity.evidence import Evidence
from lockgate.identity.issuer import Client, Issuer
from lockgate.identity.key_uses import KeyUses
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.thumbprint import thumbprint
from lockgate.identity.trust import Trust
from lockgate.identity.workload import Workload, Workloads
from lockgate.model import KeyRecord, Principal
from lockgate.store.revocations import MemoryRevocations
from lockgate.store.used_proofs import MemoryProofs
from lockgate.upstream.fetch import Reach
from support.certificates import DOMAIN, HOUR, Authority
from support.key_book import Book
from support.tokens import NOW_MS, RESOURCE, Holder, OwnIssuer

CA = Authority()
PEPPER = b"p" * 32
KEY_ID, TEXT, HASH = mint("personal", PEPPER, os.urandom)
RECORD = KeyRecord(
    id=KEY_ID, kind="personal", owner="alice", subject="alice", roles=frozenset(), agent="",
    hash=HASH, created=1, expires=NOW_MS + 500,
)  # fmt: skip


class World:
    def __init__(self, own: OwnIssuer) -> None:
        self.own = own
        replays = MemoryProofs(lambda: NOW_MS)
        self.identities = Identities(Book(RECORD), KeyUses(), PEPPER, MemoryRevocations(), replays)
        self.reach = Reach(internal=frozenset({own.url}))
        self.trust(own.issuer)

    def trust(self, issuer: Issuer) -> None:
        self.identities.replace({issuer.url: issuer}, self.reach)

    async def ask(
        self, *headers: str, url: str = RESOURCE, **shown: Any
    ) -> Principal | AuthRefusal:
        asked = self.identities.authenticator
        evidence = Evidence(headers, url=url, **shown)
        found = await asked.authenticate(evidence, NOW_MS)
        again = await asked.recheck(evidence, NOW_MS)
        if isinstance(found, Principal):
            assert again == found, "what was accepted would be accepted again"
        return found

    async def reason(self, *headers: str, **shown: Any) -> str:
        found = await self.ask(*headers, **shown)
        assert isinstance(found, AuthRefusal)
        assert not any(header[10:] in found.detail for header in headers if header[10:])
        return found.reason

    async def authn(self, *headers: str, **shown: Any) -> frozenset[str]:
        found = await self.ask(*headers, **shown)
        assert isinstance(found, Principal), found
        return found.authn


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with OwnIssuer().serving() as own:
        yield World(own)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_the_rfc_says(world: World, scheme: str) -> None:
    assert await world.authn(f"{scheme} {TEXT}") == {"api_key"}
    assert await world.authn(f"{scheme} {world.own.token()}") == {"oauth"}


async def test_no_header_is_missing(world: World) -> None:
    assert await world.reason() == "auth.missing"


@pytest.mark.parametrize(
    "headers",
    [
        (f"Bearer {TEXT}", f"Bearer {TEXT}"),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        (TEXT,),
        (f"Basic {TEXT}",),
        (f"Bearer {TEXT}, Bearer {TEXT}",),
        (f"Bearer {TEXT} ",),
        (f" Bearer {TEXT}",),
        (f"Bearer\t{TEXT}",),
        (f"Bearer {TEXT}\n",),
        ("Bearer é",),
        ("Bearer \ud800",),
        (f"DPoP {TEXT}",),
    ],
)
async def test_what_is_not_one_credential_is_malformed(
    world: World, headers: tuple[str, ...]
) -> None:
    assert await world.reason(*headers) == "auth.malformed"


async def test_a_mistyped_key_is_shown_to_nobody_else(world: World) -> None:
    assert await world.reason(f"Bearer {TEXT[:-1]}") == "auth.invalid"
    assert not world.own.asked


@pytest.mark.parametrize(
    ("audience", "url", "accepted"),
    [
        ("https://gate.example/mcp", "https://gate.example/mcp", True),
        ("https://gate.example/mcp/", "https://gate.example/mcp", True),
        ("https://gate.example/mcp", "https://gate.example/mcp/git", True),
        ("https://gate.example/mcp/git", "https://gate.example/mcp/git", True),
        (["x", "https://gate.example/mcp/git"], "https://gate.example/mcp/git", True),
        ("https://gate.example/mcp/git", "https://gate.example/mcp", False),
        ("https://gate.example/mcp/git", "https://gate.example/mcp/clinic", False),
        ("https://gate.example", "https://gate.example/mcp", False),
        ("https://other.example/mcp", "https://gate.example/mcp", False),
        ("http://gate.example/mcp", "https://gate.example/mcp", False),
        ([], "https://gate.example/mcp", False),
        (None, "https://gate.example/mcp", False),
        ({"x": 1}, "https://gate.example/mcp", False),
    ],
)
async def test_a_token_is_meant_for_this_resource(
    world: World, audience: object, url: str, accepted: bool
) -> None:
    found = await world.ask(f"Bearer {world.own.token(aud=audience)}", url=url)
    assert isinstance(found, Principal) is accepted


async def test_an_issuer_may_have_names_of_its_own_for_us(world: World) -> None:
    token = world.own.token(aud="5c2b8a90")
    assert await world.reason(f"Bearer {token}") == "auth.invalid"
    world.trust(msgspec.structs.replace(world.own.issuer, audiences=frozenset({"5c2b8a90"})))
    assert await world.authn(f"Bearer {token}") == {"oauth"}


async def test_a_missing_scope_is_told_from_a_bad_token(world: World) -> None:
    world.trust(msgspec.structs.replace(world.own.issuer, scopes=frozenset({"mcp.use"})))
    assert await world.reason(f"Bearer {world.own.token()}") == "auth.scope"
    assert await world.authn(f"Bearer {world.own.token(scope='x mcp.use')}") == {"oauth"}


async def test_a_token_bound_to_a_certificate_comes_with_it_only(world: World) -> None:
    mine, stolen = shown(world, "desk"), shown(world, "desk")
    token = world.own.token(cnf={"x5t#S256": thumbprint(mine)})
    assert await world.reason(f"Bearer {token}") == "auth.invalid"
    assert await world.reason(f"Bearer {token}", certificate=stolen) == "auth.invalid"
    assert await world.authn(f"Bearer {token}", certificate=mine) == {"oauth", "mtls"}


def shown(world: World, workload: str) -> bytes:
    """A certificate of this workload; ``desk`` and the service ``batch`` are registered."""
    desk = Workload("desk", Named("spiffe", f"{DOMAIN}/desk"))
    batch = Workload("batch", Named("spiffe", f"{DOMAIN}/batch"), "service", "bob")
    world.identities.authenticator.workloads = Workloads(Trust(CA.pem.encode()), (desk, batch))
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC) - datetime.now(UTC)
    return CA.workload(workload, begins=now - HOUR, ends=now + HOUR).der


async def test_a_certificate_joins_what_a_key_or_token_proves_or_refuses_it(world: World) -> None:
    desk, nobodys = shown(world, "desk"), shown(world, "none")
    for credential, kind in ((TEXT, "api_key"), (world.own.token(), "oauth")):
        found = await world.ask(f"Bearer {credential}", certificate=desk)
        assert isinstance(found, Principal)
        assert found.workload == f"{DOMAIN}/desk"
        assert found.authn == {kind, "mtls"}
        refused = await world.reason(f"Bearer {credential}", certificate=nobodys)
        assert refused == "auth.certificate"


async def test_a_certificate_alone_lets_in_a_service_only(world: World) -> None:
    assert await world.authn(certificate=shown(world, "batch")) == {"mtls"}
    assert await world.reason(certificate=shown(world, "desk")) == "auth.missing"
    assert await world.reason("Bearer x", certificate=shown(world, "batch")) == "auth.invalid"


async def test_a_client_s_tokens_come_from_its_workload_only(world: World) -> None:
    client = Client("agent", "", "desk")
    world.trust(msgspec.structs.replace(world.own.issuer, clients={"c1": client}))
    token = f"Bearer {world.own.token(client_id='c1')}"
    assert await world.reason(token) == "auth.certificate"
    assert await world.reason(token, certificate=shown(world, "batch")) == "auth.certificate"
    assert await world.authn(token, certificate=shown(world, "desk")) == {"oauth", "mtls"}


async def test_a_token_bound_to_a_key_comes_with_a_proof_only(world: World) -> None:
    holder, thief = Holder(), Holder()
    token = world.own.token(cnf={"jkt": holder.thumbprint})
    nonce = world.identities.nonces.make(NOW_MS)
    assert await world.reason(f"Bearer {token}") == "auth.invalid", "not as a plain bearer token"
    assert await world.reason(f"DPoP {token}") == "auth.proof"
    assert await world.reason(f"DPoP {token}", dpop=(holder.proof(token),)) == "auth.nonce"
    stolen = (thief.proof(token, nonce=nonce),)
    assert await world.reason(f"DPoP {token}", dpop=stolen) == "auth.proof"
    good = (holder.proof(token, nonce=nonce),)
    assert await world.authn(f"DPoP {token}", dpop=good) == {"oauth", "dpop"}
    assert await world.reason(f"DPoP {token}", dpop=good) == "auth.proof", "once"


async def test_a_proof_beside_an_unbound_token_proves_nothing(world: World) -> None:
    holder = Holder()
    token = world.own.token()
    nonce = world.identities.nonces.make(NOW_MS)
    sent = (holder.proof(token, nonce=nonce),)
    assert await world.reason(f"DPoP {token}", dpop=sent) == "auth.invalid"


async def test_where_no_issuer_is_trusted_a_token_is_invalid(world: World) -> None:
    world.identities.replace({}, world.reach)
    assert await world.reason(f"Bearer {world.own.token()}") == "auth.invalid"
