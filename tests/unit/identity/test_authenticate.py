"""What each kind of evidence is worth. The tokens are good: others are ``test_bearer_token``'s."""

import os
from collections.abc import AsyncIterator
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
from lockgate.model.revocation import Revocation
from lockgate.store.revocations import MemoryRevocations
from lockgate.store.used_proofs import MemoryProofs
from lockgate.upstream.fetch import Reach
from support.certificates import DOMAIN, Authority
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
        self.revocations = MemoryRevocations()
        self.identities = Identities(Book(RECORD), KeyUses(), PEPPER, self.revocations, replays)
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


def certified(world: World) -> Authority:
    """Its workloads ``desk`` (an agent) and ``batch`` (a service) are known."""
    ca = Authority()
    world.identities.authenticator.workloads = Workloads(
        Trust(ca.pem.encode()),
        (Workload("desk", Named("spiffe", f"{DOMAIN}/desk")),
         Workload("batch", Named("spiffe", f"{DOMAIN}/batch"), "service", "bob")),
    )  # fmt: skip
    return ca


async def test_a_token_bound_to_a_certificate_comes_with_it_only(world: World) -> None:
    ca = certified(world)
    mine, stolen = ca.workload("desk").der, ca.workload("desk").der
    token = world.own.token(cnf={"x5t#S256": thumbprint(mine)})
    assert await world.reason(f"Bearer {token}") == "auth.invalid"
    assert await world.reason(f"Bearer {token}", certificate=stolen) == "auth.invalid"
    assert await world.authn(f"Bearer {token}", certificate=mine) == {"oauth", "mtls"}


async def test_a_client_may_be_bound_to_its_workload(world: World) -> None:
    ca = certified(world)
    clients = {"desk": Client(workload="desk")}
    world.trust(msgspec.structs.replace(world.own.issuer, clients=clients))
    sent = f"Bearer {world.own.token()}"
    assert await world.reason(sent) == "auth.certificate"
    other = ca.workload("batch").der
    assert await world.reason(sent, certificate=other) == "auth.certificate"
    assert await world.authn(sent, certificate=ca.workload("desk").der) == {"oauth", "mtls"}


async def test_a_certificate_joins_what_a_key_proves_or_refuses_it(world: World) -> None:
    ca = certified(world)
    service = await world.ask(certificate=ca.workload("batch").der)
    assert isinstance(service, Principal)
    assert (service.id, sorted(service.authn)) == ("service:batch", ["mtls"])
    assert await world.reason(certificate=ca.workload("desk").der) == "auth.missing"
    nobody = ca.workload("none").der
    assert await world.reason(f"Bearer {TEXT}", certificate=nobody) == "auth.certificate"
    found = await world.ask(f"Bearer {TEXT}", certificate=ca.workload("desk").der)
    assert isinstance(found, Principal)
    assert (found.id, found.workload) == ("person:alice", f"{DOMAIN}/desk")
    assert found.authn == {"api_key", "mtls"}


async def test_all_proofs_together_are_one_principal(world: World) -> None:
    ca, holder = certified(world), Holder()
    token = world.own.token(
        cnf={"jkt": holder.thumbprint}, act={"sub": "desk-agent"}, amr=["pwd", "mfa"]
    )
    nonce = world.identities.nonces.make(NOW_MS)
    found = await world.ask(
        f"DPoP {token}", dpop=(holder.proof(token, nonce=nonce),),
        certificate=ca.workload("desk").der,
    )  # fmt: skip
    assert isinstance(found, Principal)
    assert found.authn == {"oauth", "dpop", "mtls", "mfa"}
    assert (found.actors, found.workload) == (("desk-agent",), f"{DOMAIN}/desk")


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


async def test_a_token_is_held_for_exchange_only_where_it_is_good_in_anybody_s_hands(
    world: World,
) -> None:
    asked = world.identities.authenticator
    asked.presented.want(True)
    holder = Holder()
    bound = world.own.token(cnf={"jkt": holder.thumbprint})
    nonce = world.identities.nonces.make(NOW_MS)
    await world.authn(f"DPoP {bound}", dpop=(holder.proof(bound, nonce=nonce),))
    assert asked.shown_by("person:alice", NOW_MS) is None
    old, new = world.own.token(), world.own.token()
    for token in (old, new):
        await world.authn(f"Bearer {token}")
    await asked.recheck(Evidence((f"Bearer {old}",), url=RESOURCE), NOW_MS)
    found = asked.shown_by("person:alice", NOW_MS)
    assert found is not None
    assert found.text == new, "a stream that is looked at again shows nothing new"


async def test_a_revoked_token_is_exchanged_for_nobody(world: World) -> None:
    asked = world.identities.authenticator
    asked.presented.want(True)
    await world.authn(f"Bearer {world.own.token(jti='t-1')}")
    world.revocations.add(Revocation("token", world.own.url, "t-1", NOW_MS, NOW_MS * 2))
    assert asked.shown_by("person:alice", NOW_MS) is None


async def test_a_key_beside_a_token_is_one_more_proof_of_the_same_caller(world: World) -> None:
    sent = f"Bearer {world.own.token(scope='read')}"
    found = await world.ask(sent, key=(TEXT,))
    assert isinstance(found, Principal)
    assert found.id == "person:alice"
    assert found.scopes == {"read"}
    assert found.authn == {"oauth", "api_key"}
    others = f"Bearer {world.own.token(sub='bob')}"
    assert await world.reason(others, key=(TEXT,)) == "auth.mismatch"
    ca = certified(world)
    certificate = ca.workload("desk").der
    assert await world.authn(sent, key=(TEXT,), certificate=certificate) == {
        "oauth", "api_key", "mtls"
    }  # fmt: skip


async def test_neither_makes_up_for_the_other(world: World) -> None:
    token = f"Bearer {world.own.token()}"
    assert await world.reason(token, key=(TEXT[:-1],)) == "auth.invalid"
    assert await world.reason(token, key=("",)) == "auth.invalid"
    assert await world.reason(token, key=(world.own.token(),)) == "auth.invalid"
    assert await world.reason(f"Bearer {world.own.token(exp=1)}", key=(TEXT,)) == "auth.invalid"
    world.identities.replace({}, world.reach)
    assert await world.reason(token, key=(TEXT,)) == "auth.invalid"


async def test_a_key_stands_beside_a_token_or_in_its_place_never_elsewhere(world: World) -> None:
    token = f"Bearer {world.own.token()}"
    for sent in ((f"Bearer {TEXT}",), (), (token, token), (f"Basic {TEXT}",)):
        assert await world.reason(*sent, key=(TEXT,)) == "auth.malformed"
    assert await world.reason(token, key=(TEXT, TEXT)) == "auth.malformed"
    service = certified(world).workload("batch").der
    assert await world.reason(key=(TEXT,), certificate=service) == "auth.malformed"


async def test_a_proof_is_not_used_up_by_a_key_that_does_not_fit(world: World) -> None:
    holder = Holder()
    token = world.own.token(cnf={"jkt": holder.thumbprint})
    proof = (holder.proof(token, nonce=world.identities.nonces.make(NOW_MS)),)
    wrong = (TEXT[:-1],)
    assert await world.reason(f"DPoP {token}", dpop=proof, key=wrong) == "auth.invalid"
    assert await world.authn(f"DPoP {token}", dpop=proof, key=(TEXT,)) == {
        "oauth", "dpop", "api_key"
    }  # fmt: skip
