"""What step 3 costs a warm call, by what the client shows: CPU of ``authenticate`` alone."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from joserfc import jws
from joserfc.jwk import RSAKey

from bench.arm import Failed
from lockgate.app.identities import Identities
from lockgate.identity.api_key import mint
from lockgate.identity.evidence import Evidence
from lockgate.identity.issuer import Issuer
from lockgate.identity.key_uses import KeyUses
from lockgate.identity.profiles import PROFILES
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.standing import Rules, Standing
from lockgate.model import KeyRecord, Principal
from lockgate.store.directory import Directory
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.revocations import MemoryRevocations
from lockgate.store.used_proofs import MemoryProofs
from lockgate.upstream.fetch import Reach

RESOURCE = "https://gate.example/mcp"
_ISSUER = "https://issuer.example"
_PEPPER = b"p" * 32
_CALLS = 20_000


class _Book:
    version = 1

    def __init__(self, record: KeyRecord) -> None:
        self._record = record

    def find(self, key_id: str) -> KeyRecord | None:
        return self._record if key_id == self._record.id else None

    def fresh(self, now_ms: int) -> bool:  # noqa: ARG002
        return True


def token_of(key: RSAKey, issuer: str, resource: str, **more: object) -> str:
    """A day's access token (RFC 9068) for alice, who is an analyst."""
    now = int(time.time())
    claims = {
        "iss": issuer, "sub": "alice", "aud": resource, "exp": now + 86_400, "iat": now,
        "jti": "bench", "client_id": "desk", "roles": ["analyst"], **more,
    }  # fmt: skip
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "bench"}
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=["RS256"])


def key_pair(place: Path) -> RSAKey:
    """A new one; its public half lies in ``place``, as an issuer publishes it."""
    key = RSAKey.generate_key(2048, {"kid": "bench", "use": "sig"})
    place.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return key


def costs() -> Mapping[str, float]:
    """Microseconds of CPU a call: the first look at a token, and every later one."""
    return asyncio.run(_costs())


async def _costs() -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "keys.json"
        key = key_pair(place)
        standing, text = _standing(place)
        token = token_of(key, _ISSUER, RESOURCE)
        found = {"first sight of a token": await _one(standing, token)}
        warm: dict[str, tuple[str, tuple[str, ...]]] = {
            "warm API key": (text, ()),
            "warm access token": (token, ()),
            "warm access token and API key": (token, (text,)),
        }
        for name, (shown, beside) in warm.items():
            evidence = Evidence((f"Bearer {shown}",), "192.0.2.1", url=RESOURCE, key=beside)
            found[name] = await _many(standing, evidence)
        return found


def _standing(place: Path) -> tuple[Standing, str]:
    key_id, text, hashed = mint("personal", _PEPPER, os.urandom)
    now = _now()
    record = KeyRecord(
        id=key_id, kind="personal", owner="alice", subject="alice", roles=frozenset(), agent="",
        hash=hashed, created=now, expires=now + 86_400_000,
    )  # fmt: skip
    proofs = MemoryProofs(_now)
    made = Identities(_Book(record), KeyUses(), _PEPPER, MemoryRevocations(), proofs)
    issuer = Issuer("bench", _ISSUER, PROFILES["generic"], keys_file=str(place))
    made.replace({_ISSUER: issuer}, Reach())
    directory = Directory(MemoryPeople())
    directory.refresh(now)
    return Standing(made.authenticator, directory, Rules()), text


async def _one(standing: Standing, token: str) -> float:
    evidence = Evidence((f"Bearer {token}",), "192.0.2.1", url=RESOURCE)
    began = time.process_time()
    _accepted(await standing.authenticate(evidence, _now()))
    return (time.process_time() - began) * 1e6


async def _many(standing: Standing, evidence: Evidence) -> float:
    now = _now()
    began = time.process_time()
    for _ in range(_CALLS):
        _accepted(await standing.authenticate(evidence, now))
    return (time.process_time() - began) / _CALLS * 1e6


def _accepted(found: Principal | AuthRefusal) -> None:
    if isinstance(found, AuthRefusal):
        raise Failed(f"a good credential was refused: {found.detail}")


def _now() -> int:
    return time.time_ns() // 1_000_000
