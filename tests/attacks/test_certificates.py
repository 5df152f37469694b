"""Attacks by certificates and by what is said about them: against a real gate, with real TLS, and
through real proxies."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from support.certificates import DOMAIN, HOUR, Issued
from support.front import Front

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("attacks"))
    with made.gate:
        yield made


@pytest.fixture(scope="module")
def envoy(front: Front) -> Iterator[int]:
    with front.envoy(front.authority.workload("envoy")) as port:
        yield port


@pytest.fixture(scope="module")
def nginx(front: Front) -> Iterator[int]:
    with front.nginx(front.authority.issue("nginx")) as port:
        yield port


@pytest.fixture(scope="module")
def haproxy(front: Front) -> Iterator[int]:
    with front.haproxy(front.authority.issue("x", dns=("balancer.example",))) as port:
        yield port


@pytest.fixture(scope="module")
def reporter(front: Front) -> Issued:
    """Whom the attacker would like to be. Its certificate is public; its key is not."""
    return front.authority.workload("reporter")


@asynccontextmanager
async def revocations(front: Front, *revoked: Issued, **odd: Any) -> AsyncIterator[None]:
    """In force meanwhile. The gate looks at the list once a second."""
    before, after = front.authority.workload("desk"), front.authority.workload("desk")
    front.revoke(before, *revoked, **odd)
    await _turned(front, before, good=False)
    yield
    front.revoke()
    await _turned(front, after, good=True)


async def _turned(front: Front, issued: Issued, *, good: bool) -> None:
    async with asyncio.timeout(20):
        while (await front.reason(issued, front.alice) == "") != good:
            pass


def xfcc(issued: Issued) -> str:
    pem = quote(issued.pem, safe="")
    return f'Hash={hashlib.sha256(issued.der).hexdigest()};Cert="{pem}";URI={DOMAIN}/reporter'


def client_cert(issued: Issued) -> str:
    return f":{base64.b64encode(issued.der).decode()}:"


def forged(issued: Issued) -> dict[str, dict[str, str]]:
    """In every form."""
    return {
        "xfcc": {"x_forwarded_client_cert": xfcc(issued)},
        "client-cert": {"client_cert": client_cert(issued)},
        "nginx": {"ssl_client_cert": quote(issued.pem, safe="")},
        "chain": {"client_cert_chain": client_cert(issued)},
    }


FORMS = ["xfcc", "client-cert", "nginx", "chain"]


@pytest.mark.parametrize("form", FORMS)
async def test_forged_header_through_no_proxy(front: Front, reporter: Issued, form: str) -> None:
    headers = forged(reporter)[form]
    desk = front.authority.workload("desk")
    assert await front.reason(**headers) == "auth.forwarded"
    assert await front.reason(None, front.alice, **headers) == "auth.forwarded"
    assert await front.reason(desk, front.alice, **headers) == "auth.forwarded"


async def test_forged_xfcc_through_envoy_is_replaced(
    front: Front, reporter: Issued, envoy: int
) -> None:
    headers = forged(reporter)["xfcc"]
    before = len(front.who())
    desk = front.authority.workload("desk")
    assert await front.reason(at=envoy, **headers) == "auth.missing"
    assert await front.reason(desk, front.alice, at=envoy, **headers) == ""
    assert [who["workload"] for who in front.who()[before:]] == [f"{DOMAIN}/desk"]


@pytest.mark.parametrize("form", ["client-cert", "nginx", "chain"])
async def test_forged_header_that_envoy_lets_through(
    front: Front, reporter: Issued, envoy: int, form: str
) -> None:
    assert await front.reason(at=envoy, **forged(reporter)[form]) == "auth.forwarded"


async def test_forged_nginx_header_through_nginx_is_replaced(
    front: Front, reporter: Issued, nginx: int
) -> None:
    assert await front.reason(at=nginx, **forged(reporter)["nginx"]) == "auth.missing"


@pytest.mark.parametrize("form", ["xfcc", "client-cert", "chain"])
async def test_forged_header_that_nginx_lets_through(
    front: Front, reporter: Issued, nginx: int, form: str
) -> None:
    assert await front.reason(at=nginx, **forged(reporter)[form]) == "auth.forwarded"


@pytest.mark.parametrize("form", FORMS)
async def test_forged_header_through_haproxy_is_removed(
    front: Front, reporter: Issued, haproxy: int, form: str
) -> None:
    """As its recipe in the documents says, in every form."""
    headers, desk = forged(reporter)[form], front.authority.workload("desk")
    before = len(front.who())
    assert await front.reason(at=haproxy, **headers) == "auth.missing"
    assert await front.reason(None, front.alice, at=haproxy, **headers) == ""
    assert await front.reason(desk, front.alice, at=haproxy, **headers) == ""
    seen = [who["workload"] for who in front.who()[before:]]
    assert seen == ["", f"{DOMAIN}/desk"]


async def test_names_in_a_certificate_that_forge_an_element_of_xfcc(
    front: Front, reporter: Issued, envoy: int
) -> None:
    """Envoy writes them into its header as they stand."""
    for uri in (f"x:y;{xfcc(reporter)}", f"x:y,{xfcc(reporter)}"):
        crafted = front.authority.issue("x", uris=(uri,))
        assert await front.reason(crafted, at=envoy) == "auth.forwarded"


async def test_proxy_without_a_certificate_of_its_own(front: Front, reporter: Issued) -> None:
    with front.envoy() as envoy:
        assert await front.reason(reporter, at=envoy) == "auth.forwarded"
    with front.nginx() as nginx:
        assert await front.reason(reporter, at=nginx) == "auth.forwarded"


async def test_workload_that_poses_as_a_proxy(front: Front, reporter: Issued) -> None:
    desk = front.authority.workload("desk")
    assert await front.reason(desk, **forged(reporter)["xfcc"]) == "auth.forwarded"
    by_subject = front.authority.issue("nginx", uris=(f"{DOMAIN}/desk",), dns=("balancer.example",))
    for form in FORMS:
        assert await front.reason(by_subject, **forged(reporter)[form]) == "auth.forwarded"


async def test_proxy_that_lets_in_whom_it_has_not_verified(front: Front) -> None:
    strange = front.stranger.workload("reporter")
    with front.nginx(front.authority.issue("nginx"), verify="optional_no_ca") as port:
        assert await front.reason(strange, at=port) == "auth.certificate"


async def test_revoked_proxy(front: Front, reporter: Issued) -> None:
    balancer = front.authority.issue("x", dns=("balancer.example",))
    said = {"client_cert": client_cert(reporter)}
    assert await front.reason(balancer, **said) == ""
    async with revocations(front, balancer):
        assert await front.reason(balancer, **said) == "auth.certificate"


async def test_address_of_the_client_s_choice(front: Front, nginx: int) -> None:
    for at in (0, nginx):
        assert await front.reason(None, front.alice, at=at, x_forwarded_for="10.9.8.7") == ""
        assert front.gate.rows(kind="call.intent")[-1].slots["net"]["peer"] == "127.0.0.1"


async def test_certificate_of_an_unknown_authority(front: Front) -> None:
    strange = front.stranger.workload("reporter")
    assert await front.reason(strange) == "no connection"
    assert await front.reason(strange, front.alice) == "no connection"


async def test_expired_certificate(front: Front) -> None:
    expired = front.authority.workload("reporter", begins=-2 * HOUR, ends=-HOUR)
    assert await front.reason(expired) == "no connection"
    assert await front.reason(expired, front.alice) == "no connection"


async def test_certificate_that_signs_itself_another(front: Front) -> None:
    desk = front.authority.workload("desk")
    below = type(front.authority)("x")
    below.name, below.key = desk.certificate.subject, desk.key
    issued = below.workload("reporter")
    chained = Issued(issued.certificate, issued.key, (desk.certificate,))
    assert await front.reason(chained) == "no connection"


async def test_revoked_certificate(front: Front) -> None:
    desk = front.authority.workload("desk")
    assert await front.reason(desk, front.alice) == ""
    async with revocations(front, desk):
        assert await front.reason(desk, front.alice) == "auth.certificate"
        assert await front.reason(None, front.alice) == ""


async def test_revocation_list_that_is_kept_from_being_renewed(front: Front) -> None:
    desk = front.authority.workload("desk")
    async with revocations(front, since=-2 * HOUR, until=-HOUR):
        assert await front.reason(desk, front.alice) == "auth.unknown"


async def test_certificate_of_another_workload_s_name(front: Front) -> None:
    """Whatever else a SPIFFE certificate says, it is that of its SPIFFE ID."""
    issue = front.authority.issue
    desk = (f"{DOMAIN}/desk",)
    assert await front.reason(issue("batch", uris=desk, dns=("batch.example",))) == "auth.missing"
    unknown = issue(uris=(f"{DOMAIN}/unknown",), dns=("batch.example",))
    assert await front.reason(unknown, front.alice) == "auth.certificate"
    two = issue(uris=(*desk, f"{DOMAIN}/reporter"))
    assert await front.reason(two, front.alice) == "auth.certificate"
    prefix = issue(uris=(f"{DOMAIN}/reporter/x",))
    assert await front.reason(prefix) == "auth.certificate"
    assert await front.reason(issue("reporter")) == "auth.certificate"


async def test_the_gate_s_own_certificate_shown_to_it(front: Front) -> None:
    assert await front.reason(front.server) == "auth.certificate"


async def test_every_attempt_is_counted(front: Front, reporter: Issued) -> None:
    before = front.counted("auth.forwarded"), front.counted("auth.certificate")
    await front.reason(**forged(reporter)["xfcc"])
    await front.reason(front.stranger.workload("reporter"))
    await front.gate.awaited(
        lambda _: (
            front.counted("auth.forwarded") > before[0]
            and front.counted("auth.certificate") > before[1]
        ),
        30,
    )
