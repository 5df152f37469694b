"""Real Envoy, nginx and HAProxy in front of the gate, with a certificate of their own: whose
certificate a client showed them, and where it is, is what the gate goes by."""

import base64
from collections.abc import Iterator

import pytest

from support.certificates import DOMAIN
from support.front import Front

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("proxies"))
    with made.gate:
        yield made


@pytest.fixture(scope="module", params=["envoy", "nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest, front: Front) -> Iterator[int]:
    """Its port."""
    if request.param == "envoy":
        with front.envoy(front.authority.workload("envoy")) as port:
            yield port
    elif request.param == "nginx":
        with front.nginx(front.authority.issue("nginx")) as port:
            yield port
    else:
        with front.haproxy(front.authority.issue("x", dns=("balancer.example",))) as port:
            yield port


async def test_the_client_s_certificate_is_the_client_s(front: Front, proxy: int) -> None:
    desk, reporter = front.authority.workload("desk"), front.authority.workload("reporter")
    before = len(front.who())
    assert await front.reason(reporter, at=proxy) == ""
    assert await front.reason(desk, front.alice, at=proxy) == ""
    assert await front.reason(desk, at=proxy) == "auth.missing"
    service, person = front.who()[before:]
    assert (service["subject"], service["workload"]) == ("reporter", f"{DOMAIN}/reporter")
    assert (person["subject"], person["workload"]) == ("alice", f"{DOMAIN}/desk")


async def test_without_one_it_has_not_the_proxy_s(front: Front, proxy: int) -> None:
    before = len(front.who())
    assert await front.reason(at=proxy) == "auth.missing"
    assert await front.reason(None, front.alice, at=proxy) == ""
    assert [who["workload"] for who in front.who()[before:]] == [""]


async def test_the_address_is_the_client_s(front: Front, proxy: int) -> None:
    assert await front.reason(None, front.alice, at=proxy, x_forwarded_for="8.8.8.8") == ""
    last = front.gate.rows(kind="call.intent")[-1]
    # As the proxy saw it. Envoy writes the machine's own address instead of a loopback one.
    assert last.slots["net"]["peer"] != "8.8.8.8"


async def test_a_balancer_that_writes_rfc_9440(front: Front) -> None:
    """One that is no HAProxy: its words are said here."""
    balancer = front.authority.issue("x", dns=("balancer.example",))
    reporter = front.authority.workload("reporter")
    words = {"client_cert": _sequence(reporter.der), "x_forwarded_for": "192.0.2.77"}
    assert await front.reason(balancer, **words) == ""
    last = front.gate.rows(kind="call.intent")[-1]
    assert last.slots["net"]["peer"] == "192.0.2.77"
    assert last.who == "reporter"


def _sequence(der: bytes) -> str:
    return f":{base64.b64encode(der).decode()}:"
