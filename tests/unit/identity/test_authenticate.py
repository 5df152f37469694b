import os

import pytest

from lockgate.identity.api_key import KeyCheck, mint
from lockgate.identity.authenticate import Authenticator
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import KeyRecord, Principal
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
