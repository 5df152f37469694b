import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lockgate.identity.certificate import read_certificate
from lockgate.identity.revocation import LOOK_MS, Revocations
from support.certificates import HOUR, Authority, Issued

CA = Authority("Ours")
OTHER = Authority("Other")
GOOD, BAD = CA.issue("good"), CA.issue("bad")
NOW = time.time_ns() // 1_000_000


class Listed:
    """Revocation lists in a file that changes."""

    def __init__(self, folder: Path, *known: Authority) -> None:
        self.file = folder / "crl.pem"
        self.made = Revocations(self.file)
        self.made.authorities = tuple(one.certificate for one in known or (CA,))
        self.now = NOW

    def write(self, *lists: str) -> "Listed":
        self.file.with_suffix(".new").write_text("".join(lists))
        self.file.with_suffix(".new").replace(self.file)
        self.now += LOOK_MS
        return self

    def reason(self, issued: Issued) -> str:
        found = self.made.check(read_certificate(issued.der), self.now)
        return found.reason if found else ""


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    return Listed(tmp_path)


def test_who_is_listed_is_refused_and_nobody_else(listed: Listed) -> None:
    listed.write(CA.revoke(BAD))
    assert (listed.reason(GOOD), listed.reason(BAD)) == ("", "auth.certificate")


def test_the_file_is_read_again_when_it_changes(listed: Listed) -> None:
    assert listed.write(CA.revoke()).reason(BAD) == ""
    assert listed.write(CA.revoke(BAD, number=2)).reason(BAD) == "auth.certificate"
    listed.file.write_text("half of a li")
    listed.now += LOOK_MS
    assert listed.reason(GOOD) == "auth.unknown"
    assert listed.write(CA.revoke()).reason(GOOD) == ""


def test_without_a_file_nothing_is_known(listed: Listed) -> None:
    assert listed.reason(GOOD) == "auth.unknown"
    listed.write(CA.revoke())
    assert listed.reason(GOOD) == ""
    listed.file.unlink()
    listed.now += LOOK_MS
    assert listed.reason(GOOD) == "auth.unknown"


def test_a_list_that_is_out_of_date_tells_nothing(listed: Listed) -> None:
    assert listed.write(CA.revoke(since=-2 * HOUR, until=-HOUR)).reason(GOOD) == "auth.unknown"
    assert listed.write(CA.revoke(since=HOUR, until=2 * HOUR)).reason(GOOD) == "auth.unknown"
    listed.write(CA.revoke())
    assert listed.reason(GOOD) == ""
    listed.now += 2 * 3_600_000
    assert listed.reason(GOOD) == "auth.unknown"


def test_only_the_issuers_own_list_counts(tmp_path: Path, listed: Listed) -> None:
    assert listed.write(OTHER.revoke()).reason(GOOD) == "auth.unknown"
    impostor = Authority("Ours")
    assert listed.write(impostor.revoke()).reason(GOOD) == "auth.unknown"
    both = Listed(tmp_path, CA, OTHER).write(CA.revoke(), OTHER.revoke())
    theirs = OTHER.issue("x")
    assert (both.reason(GOOD), both.reason(theirs)) == ("", "")


def test_of_several_lists_the_newest_counts(listed: Listed) -> None:
    old, new = CA.revoke(number=1), CA.revoke(BAD, number=2)
    assert listed.write(old, new).reason(BAD) == "auth.certificate"
    assert listed.write(new, old).reason(BAD) == "auth.certificate"


def test_a_part_of_a_list_tells_nothing(listed: Listed) -> None:
    assert listed.write(CA.revoke(critical=True)).reason(GOOD) == "auth.unknown"


def test_a_list_of_a_version_that_is_none_tells_nothing(listed: Listed) -> None:
    read = x509.load_pem_x509_crl(CA.revoke(BAD).encode()).public_bytes(Encoding.DER)
    listed.file.write_bytes(read.replace(b"\x02\x01\x01", b"\x02\x01\x29", 1))
    assert listed.reason(GOOD) == "auth.unknown"


def test_a_list_in_der(listed: Listed) -> None:
    read = x509.load_pem_x509_crl(CA.revoke(BAD).encode())
    listed.file.write_bytes(read.public_bytes(Encoding.DER))
    assert (listed.reason(GOOD), listed.reason(BAD)) == ("", "auth.certificate")
