import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from lockgate.identity.dpop import (
    NONCE_SECONDS,
    PROOF_SECONDS,
    Nonces,
    NonceWanted,
    ProofCheck,
)
from lockgate.identity.evidence import Evidence
from lockgate.identity.jwt import NotAccepted
from lockgate.store.used_proofs import MemoryProofs
from support.tokens import NOW, NOW_MS, RESOURCE, Holder, encoded

TOKEN = "the.access.token"
HOLDER = Holder()
NONCES = Nonces(b"n" * 32)
NONCE = NONCES.make(NOW_MS)


def proof(**changes: Any) -> str:
    return HOLDER.proof(TOKEN, **{"nonce": NONCE, **changes})


async def check(*proofs: str, bound: str = HOLDER.thumbprint, url: str = RESOURCE) -> None:
    checks = ProofCheck(MemoryProofs(lambda: NOW_MS), NONCES)
    evidence = Evidence((), dpop=proofs, url=url)
    await checks.check(evidence, TOKEN, bound, NOW_MS)


async def test_a_good_proof_is_good() -> None:
    await check(proof())


@pytest.mark.parametrize(
    "place",
    ["HTTPS://Gate.Example:443/mcp", f"{RESOURCE}?x=1", f"{RESOURCE}#y"],
)
async def test_the_url_is_compared_as_the_rfc_says(place: str) -> None:
    await check(proof(htu=place))


PUBLIC = HOLDER.key.as_dict(private=False)
WRONG: dict[str, Callable[[], str]] = {
    "another method": lambda: proof(htm="GET"),
    "another path": lambda: proof(htu="https://gate.example/mcp/other"),
    "another host": lambda: proof(htu="https://mallory.example/mcp"),
    "no url": lambda: proof(htu=None),
    "a broken url": lambda: proof(htu="https://[/mcp"),
    "another token": lambda: proof(ath=encoded(hashlib.sha256(b"x").digest())),
    "no token": lambda: proof(ath=None),
    "too old": lambda: proof(iat=NOW - PROOF_SECONDS - 6),
    "of tomorrow": lambda: proof(iat=NOW + 60),
    "no time": lambda: proof(iat=None),
    "no id": lambda: proof(jti=None),
    "a long id": lambda: proof(jti="x" * 513),
    "another type": lambda: proof(header={"typ": "JWT"}),
    "no key": lambda: proof(header={"jwk": {}}),
    "another's key": lambda: proof(key=ECKey.generate_key("P-256")),
    "a private key": lambda: proof(header={"jwk": HOLDER.key.as_dict(private=True)}),
    "a shared key": lambda: HOLDER.proof(
        TOKEN, {"alg": "HS256", "jwk": {"kty": "oct", "k": "a2V5"}}, OctKey.import_key("key" * 12)
    ),
    "a weak key": lambda: proof(header={"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
    "no signature": lambda: ".".join(
        (encoded({"typ": "dpop+jwt", "alg": "none", "jwk": PUBLIC}), encoded({"jti": "1"}), "")
    ),
    "no jwt": lambda: "x",
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("case", WRONG)
async def test_a_proof_of_something_else_proves_nothing(case: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        await check(WRONG[case]())
    assert not isinstance(refused.value, NonceWanted)


async def test_the_key_must_be_the_token_s() -> None:
    with pytest.raises(NotAccepted, match="another key"):
        await check(proof(), bound=Holder().thumbprint)


async def test_there_is_one_proof() -> None:
    for proofs in ((), (proof(), proof())):
        with pytest.raises(NotAccepted, match="one proof"):
            await check(*proofs)


async def test_a_proof_is_used_once() -> None:
    checks = ProofCheck(MemoryProofs(lambda: NOW_MS), NONCES)
    evidence = Evidence((), dpop=(proof(),), url=RESOURCE)
    await checks.check(evidence, TOKEN, HOLDER.thumbprint, NOW_MS)
    with pytest.raises(NotAccepted, match="before"):
        await checks.check(evidence, TOKEN, HOLDER.thumbprint, NOW_MS)


BAD_NONCES = {
    "none": None, "empty": "", "short": "x", "no ASCII": "é", "a number": 5,
    "another gateway's": Nonces(b"o" * 32).make(NOW_MS), "of later": NONCES.make(NOW_MS + 2_000),
    "old": NONCES.make(NOW_MS - (NONCE_SECONDS + 1) * 1_000),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NONCES)
async def test_a_nonce_is_ours_and_of_late(case: str) -> None:
    with pytest.raises(NonceWanted):
        await check(proof(nonce=BAD_NONCES[case]))


async def test_other_kinds_of_keys_prove_as_well() -> None:
    key = RSAKey.generate_key(2048)
    sent = HOLDER.proof(
        TOKEN, {"alg": "PS256", "jwk": key.as_dict(private=False)}, key, nonce=NONCE
    )
    await check(sent, bound=key.thumbprint())
