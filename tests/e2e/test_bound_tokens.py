"""Tokens that a real provider binds to the certificate they were fetched with (RFC 8705, 3), over
real TLS: at the gate itself, and behind real proxies."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from support.certificates import DOMAIN, Issued
from support.front import BASE, Front
from support.oidc_provider import CLIENTS, LOGIN, ROBOT, Provider, running_provider

pytestmark = [pytest.mark.e2e, pytest.mark.node]

RESOURCE = f"{BASE}/mcp"
POLICY = f"""
@id("bound") permit (principal is Person, action, resource)
when {{ principal.workload == "{DOMAIN}/desk" && principal.authn.containsAll(["oauth", "mtls"]) }};
@id("robots") permit (principal is Service, action, resource)
when {{ principal.workload == "{DOMAIN}/desk" && principal.authn.containsAll(["oauth", "mtls"]) }};
"""
BOUND = {"tls_client_certificate_bound_access_tokens": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    clients = CLIENTS | {name: CLIENTS[name] | BOUND for name in (LOGIN, ROBOT)}
    with running_provider(tls=True, clients=clients, resources=[RESOURCE]) as running:
        yield running


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("bound"), POLICY, public_url=BASE)
    authority = made.folder / "provider.pem"
    authority.write_bytes(provider.ca)
    made.gate.environment["SSL_CERT_FILE"] = str(authority)
    made.gate.write_config(issuers={"corp": {"url": provider.issuer}})
    with made.gate:
        yield made
        assert "Traceback" not in made.gate.log


@pytest.fixture(scope="module")
def desk(front: Front) -> Issued:
    return front.authority.workload("desk")


@pytest.fixture(scope="module")
def token(provider: Provider, desk: Issued) -> str:
    """Alice's, for whoever holds the key of ``desk``."""
    return provider.token("alice", resource=RESOURCE, identity=identity(desk)).access_token


def identity(one: Issued) -> bytes:
    """Certificate and key in PEM."""
    key = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + one.pem.encode()


async def listed(front: Front, shown: Issued, token: str, at: int = 0) -> bool:
    said = await front.ask(shown, token, at)
    assert said is not None
    return bool(said.result["tools"])


async def test_a_bound_token_over_its_own_connection_is_answered(
    front: Front, desk: Issued, token: str
) -> None:
    assert await listed(front, desk, token)
    who = front.who()[-1]
    assert (who["subject"], who["workload"]) == ("corp/alice", f"{DOMAIN}/desk")
    assert sorted(who["authn"]) == ["mtls", "oauth"]


async def test_a_stolen_bound_token_from_another_host(
    front: Front, desk: Issued, token: str
) -> None:
    """With a certificate of its own, with none, and with a second one of the very same workload."""
    assert await listed(front, desk, token), "it is good"
    before, calls = front.counted("auth.invalid"), len(front.who())
    thieves = (front.authority.workload("reporter"), front.authority.workload("desk"), None)
    for thief in thieves:
        assert await front.reason(thief, token) == "auth.invalid"
    assert await front.reason(front.stranger.workload("desk"), token) == "no connection"
    assert len(front.who()) == calls
    await front.gate.awaited(lambda _: front.counted("auth.invalid") == before + len(thieves))


async def test_a_certificate_of_the_thief_in_a_header_is_none(
    front: Front, desk: Issued, token: str
) -> None:
    """The public half of it can be had by anybody who has seen it."""
    forged = {"client_cert": desk.pem.replace("\n", "")}
    assert await front.reason(None, token, **forged) == "auth.forwarded"


async def test_policy_sees_both_proofs_and_refuses_one_alone(front: Front, desk: Issued) -> None:
    assert not await listed(front, desk, front.alice), "a key beside the certificate"


async def test_a_program_s_own_token_is_bound_too(
    front: Front, provider: Provider, desk: Issued
) -> None:
    robot = provider.client_credentials(resource=RESOURCE, identity=identity(desk)).access_token
    assert await listed(front, desk, robot)
    assert await front.reason(None, robot) == "auth.invalid"


@pytest.mark.parametrize("kind", ["envoy", "nginx", "haproxy"])
async def test_behind_a_proxy_it_is_the_client_s_certificate_that_counts(
    front: Front, desk: Issued, token: str, kind: str
) -> None:
    with behind(front, kind) as port:
        assert await listed(front, desk, token, at=port)
        for thief in (front.authority.workload("reporter"), None):
            assert await front.reason(thief, token, at=port) == "auth.invalid"


def behind(front: Front, kind: str) -> AbstractContextManager[int]:
    if kind == "envoy":
        return front.envoy(front.authority.workload("envoy"))
    if kind == "nginx":
        return front.nginx(front.authority.issue("nginx"))
    return front.haproxy(front.authority.issue("x", dns=("balancer.example",)))
