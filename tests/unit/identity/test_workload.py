import time

import pytest

from lockgate.identity.certificate import Named
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.thumbprint import thumbprint
from lockgate.identity.trust import Trust
from lockgate.identity.workload import Shown, Workload, Workloads, joined
from lockgate.model import Principal
from support.certificates import DOMAIN, Authority, Issued
from worlds import ALICE

CA = Authority()
NOW = time.time_ns() // 1_000_000
DESK = Workload("desk", Named("spiffe", f"{DOMAIN}/desk"))
REPORTER = Workload(
    "reporter", Named("dns", "reporter.example"), "service", "bob", frozenset({"reader"})
)
BATCH = Workload("batch", Named("subject", "CN=batch"), "service", "carol")
KNOWN = Workloads(Trust(CA.pem.encode()), (DESK, REPORTER, BATCH))
MISSING = AuthRefusal("auth.missing")
INVALID = AuthRefusal("auth.invalid")


def shown(issued: Issued) -> Shown:
    found = KNOWN.shown(issued.der, NOW)
    assert isinstance(found, Shown)
    return found


def reason(found: object) -> str:
    assert isinstance(found, AuthRefusal)
    return found.reason


def test_a_certificate_is_that_of_its_workload() -> None:
    assert shown(CA.workload("desk")).workload == DESK
    assert shown(CA.issue("x", dns=("REPORTER.example",))).workload == REPORTER
    assert shown(CA.issue("batch")).workload == BATCH
    assert KNOWN.shown(b"", NOW) is None


@pytest.mark.parametrize(
    "issued",
    [
        CA.workload("unknown"),
        CA.issue("unknown"),
        CA.issue("batch", dns=("reporter.example",)),
        CA.issue("batch", (f"{DOMAIN}/unknown",), ("reporter.example",)),
        CA.issue(uris=(f"{DOMAIN}/desk", f"{DOMAIN}/other")),
    ],
    ids=["spiffe", "subject", "two workloads", "other names beside a spiffe id", "two uris"],
)
def test_a_certificate_that_is_nobodys_is_refused(issued: Issued) -> None:
    assert reason(KNOWN.shown(issued.der, NOW)) == "auth.certificate"


def test_without_authorities_every_certificate_is_refused() -> None:
    assert reason(Workloads().shown(CA.workload("desk").der, NOW)) == "auth.certificate"
    assert Workloads().shown(b"", NOW) is None


def test_a_service_comes_in_with_its_certificate_alone() -> None:
    issued = CA.issue("x", dns=("reporter.example",))
    assert joined(MISSING, shown(issued)) == Principal(
        kind="service", subject="reporter", roles=frozenset({"reader"}), owner="bob",
        authn=frozenset({"mtls"}), credential=thumbprint(issued.der), workload="reporter",
    )  # fmt: skip


def test_an_agent_does_not() -> None:
    assert joined(MISSING, shown(CA.workload("desk"))) == MISSING


def test_a_certificate_does_not_mend_a_bad_key() -> None:
    assert joined(INVALID, shown(CA.issue("batch"))) == INVALID
    assert joined(INVALID, None) == INVALID


def test_beside_a_key_it_says_which_program_sent_it() -> None:
    found = joined(ALICE, shown(CA.workload("desk")))
    assert isinstance(found, Principal)
    assert (found.id, found.workload) == (ALICE.id, f"{DOMAIN}/desk")
    assert found.authn == {"api_key", "mtls"}
    assert (found.agent, found.roles, found.credential) == ("desk", ALICE.roles, "k1")
    assert joined(ALICE, None) == ALICE


def test_an_agent_that_the_key_does_not_name_is_named_by_its_certificate() -> None:
    nobodys = Principal(kind="person", subject="alice")
    for issued, agent in ((CA.workload("desk"), "desk"), (CA.issue("batch"), "")):
        found = joined(nobodys, shown(issued))
        assert isinstance(found, Principal)
        assert found.agent == agent


def test_the_key_and_the_certificate_of_two_services_do_not_agree() -> None:
    reporter = Principal(kind="service", subject="reporter")
    assert reason(joined(reporter, shown(CA.issue("batch")))) == "auth.certificate"
    found = joined(reporter, shown(CA.issue("x", dns=("reporter.example",))))
    assert isinstance(found, Principal)
    assert found.workload == "reporter"
