import time
from pathlib import Path

import pytest

from lockgate.identity.certificate import Certificate
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.revocation import Revocations
from lockgate.identity.trust import Trust
from support.certificates import HOUR, Authority, Issued

CA = Authority("Root")
BETWEEN = Authority("Intermediate", CA)
NOW = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
TRUST = Trust(CA.pem.encode())


def reason(found: Certificate | AuthRefusal) -> str:
    return found.reason if isinstance(found, AuthRefusal) else ""


def der(*authorities: Authority) -> tuple[bytes, ...]:
    return tuple(Issued(one.certificate, one.key).der for one in authorities)


def test_a_certificate_counts_in_its_time() -> None:
    issued = CA.workload("desk")
    assert isinstance(TRUST.check(issued.der, NOW), Certificate)
    assert reason(TRUST.check(issued.der, NOW + 2 * HOUR_MS)) == "auth.certificate"
    assert reason(TRUST.check(issued.der, NOW - 2 * HOUR_MS)) == "auth.certificate"
    assert reason(TRUST.check(b"x", NOW)) == "auth.certificate"


def test_a_chain_leads_to_an_authority_that_is_trusted() -> None:
    assert reason(TRUST.check_chain(CA.workload("desk").der, (), NOW)) == ""
    stranger = Authority("Root").workload("desk")
    assert reason(TRUST.check_chain(stranger.der, (), NOW)) == "auth.certificate"
    below = BETWEEN.workload("desk").der
    assert reason(TRUST.check_chain(below, (), NOW)) == "auth.certificate"
    assert reason(TRUST.check_chain(below, der(BETWEEN), NOW)) == ""
    assert reason(TRUST.check_chain(below, (b"x",), NOW)) == "auth.certificate"


def test_an_intermediate_may_be_trusted_by_itself() -> None:
    trust = Trust((CA.pem + BETWEEN.pem).encode())
    assert reason(trust.check_chain(BETWEEN.workload("desk").der, (), NOW)) == ""
    only = Trust(BETWEEN.pem.encode())
    assert reason(only.check_chain(BETWEEN.workload("desk").der, (), NOW)) == ""
    assert reason(only.check_chain(CA.workload("desk").der, (), NOW)) == "auth.certificate"


def test_a_chain_is_not_verified_for_ever() -> None:
    issued = CA.workload("desk", ends=3000 * HOUR)
    trust = Trust(CA.pem.encode())
    assert reason(trust.check_chain(issued.der, (), NOW)) == ""
    assert reason(trust.check_chain(issued.der, (), NOW + 1)) == ""
    later = NOW + 2000 * HOUR_MS  # when its authority has expired
    assert reason(trust.check_chain(issued.der, (), later)) == "auth.certificate"


def test_a_leaf_vouches_for_nobody() -> None:
    leaf = CA.workload("desk")
    forger = Authority("x")
    forger.name, forger.key = leaf.certificate.subject, leaf.key
    forged = forger.workload("admin")
    assert reason(TRUST.check_chain(forged.der, (leaf.der,), NOW)) == "auth.certificate"


def test_what_was_revoked_counts_no_more(tmp_path: Path) -> None:
    good, bad = CA.workload("good"), CA.workload("bad")
    (tmp_path / "crl.pem").write_text(CA.revoke(bad))
    trust = Trust(CA.pem.encode(), Revocations(tmp_path / "crl.pem"))
    assert reason(trust.check(good.der, NOW)) == ""
    assert reason(trust.check(bad.der, NOW)) == "auth.certificate"
    assert reason(trust.check_chain(bad.der, (), NOW)) == "auth.certificate"


def test_an_authority_must_be_named() -> None:
    with pytest.raises(ValueError):
        Trust(b"nothing")
