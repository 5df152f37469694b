import time
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey

from lockgate.identity.id_token import IdTokenCheck, SignedIn
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.key_sets import LEAST_SECONDS, KeysUnknown
from lockgate.identity.profiles import PROFILES
from support.issuer import CLIENT, ISSUER, Issuer

GOOD = {"sub": "248", "nonce": "n"}


@pytest.fixture(scope="module")
def made() -> Issuer:
    return Issuer()


@pytest.fixture
def issuer(made: Issuer) -> Issuer:
    made.claims, made.header, made.signs_with, made.down = {}, {}, made.key, False
    made.known = msgspec.structs.replace(
        made.known, namespace="", profile=PROFILES["generic"], leeway_seconds=30
    )
    return made


async def check(issuer: Issuer, token: str) -> SignedIn:
    now_ms = int(time.time() * 1_000)
    return await IdTokenCheck(lambda: issuer.known, CLIENT, issuer.keys).check(token, "n", now_ms)


async def signed_in(issuer: Issuer, **claims: Any) -> SignedIn:
    return await check(issuer, issuer.sign({**GOOD, **claims}))


async def test_an_id_token_names_a_person(issuer: Issuer) -> None:
    alice = SignedIn("248", "Alice", "s", "248", strong=True)
    assert await signed_in(issuer, name="Alice", sid="s") == alice
    both = await signed_in(issuer, name="Alice", preferred_username="alice")
    assert both.name == "alice"
    assert (await signed_in(issuer, name=["x"])).name == "248"
    assert (await signed_in(issuer, aud=[CLIENT, "other"], azp=CLIENT)).sub == "248"
    issuer.header = {"typ": "JWT"}
    assert (await signed_in(issuer)).sub == "248"


async def test_when_and_how_they_proved_who_they_are(issuer: Issuer) -> None:
    """What is no time is none; what is no class that counts is none of them."""
    issuer.known = msgspec.structs.replace(issuer.known, mfa=frozenset({"gold"}))
    found = await signed_in(issuer, auth_time=7, acr="gold")
    assert (found.at, found.strong) == (7, True)
    for time_, acr in (("7", "Gold"), (None, None), ([7], ["gold"]), (-1, "gold silver"), (0, "")):
        found = await signed_in(issuer, auth_time=time_, acr=acr)
        assert (found.at <= 0, found.strong) == (True, False), (time_, acr)


async def test_the_person_is_who_the_access_tokens_of_the_same_issuer_say(issuer: Issuer) -> None:
    issuer.known = msgspec.structs.replace(issuer.known, namespace="corp/")
    assert (await signed_in(issuer, oid="o-1")).subject == "corp/248"
    entra = PROFILES["entra-v2"]
    issuer.known = msgspec.structs.replace(issuer.known, profile=entra)
    found = await signed_in(issuer, oid="o-1")
    assert (found.sub, found.subject) == ("248", "corp/o-1")
    with pytest.raises(NotAccepted, match="nobody"):
        await signed_in(issuer, oid="o 1")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"}, {"iss": None}, {"iss": [ISSUER]}, {"iss": f"{ISSUER}/"},
        {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": ["other"]}, {"aud": {CLIENT: 1}},
        {"aud": f"other {CLIENT}"},
        {"aud": [CLIENT, "other"]}, {"azp": "other"}, {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"iat": None},
        {"iat": 99_999_999_999}, {"iat": 1}, {"nbf": 99_999_999_999},
        {"nonce": "other"}, {"nonce": None}, {"nonce": ""}, {"nonce": ["n"]},
        {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256}, {"sub": "a b"}, {"sub": "a\n"},
    ],
)  # fmt: skip
async def test_id_tokens_that_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAccepted):
        await signed_in(issuer, **claims)


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "dpop+jwt"])
async def test_tokens_of_another_kind_are_refused(issuer: Issuer, typ: str) -> None:
    issuer.header = {"typ": typ}
    with pytest.raises(NotAccepted, match="kind"):
        await signed_in(issuer)


async def test_other_keys_and_other_algorithms_are_refused(issuer: Issuer) -> None:
    issuer.signs_with, issuer.header = issuer.key.as_pem(private=False), {"alg": "HS256"}
    with pytest.raises(NotAccepted):
        await signed_in(issuer)
    issuer.signs_with, issuer.header = Issuer().key, {}
    with pytest.raises(NotAccepted):
        await signed_in(issuer)
    issuer.signs_with = issuer.key
    head, body, signature = issuer.sign(GOOD).split(".")
    for bad in (f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}.", f"{head}.{body}", "", "a.b.c",
                "é.b.c", "W10.e30.eA", "bnVsbA.e30.eA", "eyJraWQiOjd9.e30.eA"):  # fmt: skip
        with pytest.raises(NotAccepted):
            await check(issuer, bad)
    other = Issuer()
    other.key = ECKey.generate_key("P-256", {"kid": "k1"})  # type: ignore[assignment]
    with pytest.raises(NotAccepted):
        await check(other, f"{head}.{body}.{signature}")


async def test_nobody_is_signed_in_while_the_keys_cannot_be_had() -> None:
    issuer = Issuer()
    issuer.down = True
    with pytest.raises(KeysUnknown):
        await signed_in(issuer)
    issuer.down = False
    issuer.now += LEAST_SECONDS
    assert (await signed_in(issuer)).sub == "248"


async def test_when_and_how_strongly_a_person_signed_in(issuer: Issuer) -> None:
    assert (await signed_in(issuer, auth_time=1_700_000_000)).at == 1_700_000_000
    for unsaid in (None, "1700000000", True):
        assert (await signed_in(issuer, auth_time=unsaid)).at in (0, 1)
    issuer.known = msgspec.structs.replace(issuer.known, mfa=frozenset({"urn:mfa"}))
    assert (await signed_in(issuer, acr="urn:mfa")).strong
    assert not (await signed_in(issuer, acr="urn:password")).strong
    assert not (await signed_in(issuer)).strong
