import os
import time

import msgspec
import pytest

from lockgate.identity.api_key import KeyCheck, mint
from lockgate.identity.authenticate import Authenticator
from lockgate.identity.certificate import Named
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.trust import Trust
from lockgate.identity.workload import Workload, Workloads
from lockgate.model import KeyRecord, Principal
from support.certificates import DOMAIN, Authority, Issued
from support.key_book import Book

NOW = 1_000_000
PEPPER = b"p" * 32
KEY_ID, TEXT, HASH = mint("personal", PEPPER, os.urandom)
RECORD = KeyRecord(
    id=KEY_ID, kind="personal", owner="alice", subject="alice", roles=frozenset(), agent="",
    hash=HASH, created=1, expires=NOW + 500,
)  # fmt: skip


async def ask(*headers: str) -> Principal | AuthRefusal:
    asked = Authenticator(KeyCheck(Book(RECORD), PEPPER))
    evidence = Evidence(headers)
    found = await asked.authenticate(evidence, NOW)
    assert asked.recheck(evidence, NOW) == found
    return found


def reason(answer: Principal | AuthRefusal) -> str:
    assert isinstance(answer, AuthRefusal)
    assert TEXT[20:] not in answer.detail
    return answer.reason


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_the_rfc_says(scheme: str) -> None:
    assert isinstance(await ask(f"{scheme} {TEXT}"), Principal)


async def test_no_header_is_missing() -> None:
    assert reason(await ask()) == "auth.missing"


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
    ],
)
async def test_what_is_not_one_bearer_token_is_malformed(headers: tuple[str, ...]) -> None:
    assert reason(await ask(*headers)) == "auth.malformed"


async def test_a_certificate_joins_what_a_key_proves_or_refuses_it() -> None:
    ca = Authority()
    asked = Authenticator(KeyCheck(Book(RECORD), PEPPER))
    now = time.time_ns() // 1_000_000
    asked.workloads = Workloads(
        Trust(ca.pem.encode()),
        (Workload("desk", Named("spiffe", f"{DOMAIN}/desk")),
         Workload("batch", Named("spiffe", f"{DOMAIN}/batch"), "service", "bob")),
    )  # fmt: skip

    async def told(issued: Issued, *headers: str) -> Principal | AuthRefusal:
        return await asked.authenticate(Evidence(headers, certificate=issued.der), now)

    service = await told(ca.workload("batch"))
    assert isinstance(service, Principal)
    assert (service.id, sorted(service.authn)) == ("service:batch", ["mtls"])
    assert reason(await told(ca.workload("desk"))) == "auth.missing"
    assert reason(await told(ca.workload("batch"), f"Bearer {TEXT}")) == "auth.invalid", "expired"
    assert reason(await told(ca.workload("none"), f"Bearer {TEXT}")) == "auth.certificate"


async def test_beside_a_key_it_is_the_workload() -> None:
    ca = Authority()
    now = time.time_ns() // 1_000_000
    record = msgspec.structs.replace(RECORD, expires=now + 1_000)
    asked = Authenticator(KeyCheck(Book(record), PEPPER))
    asked.workloads = Workloads(
        Trust(ca.pem.encode()), (Workload("desk", Named("spiffe", f"{DOMAIN}/desk")),)
    )
    evidence = Evidence((f"Bearer {TEXT}",), certificate=ca.workload("desk").der)
    found = await asked.authenticate(evidence, now)
    assert isinstance(found, Principal)
    assert (found.id, found.workload) == ("person:alice", f"{DOMAIN}/desk")
    assert found.authn == {"api_key", "mtls"}
