import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from lockgate.identity.issuer import SIGNATURES
from lockgate.identity.jwt import LONGEST, NotAccepted, check_time, public_key, read, verify
from support.tokens import NOW, OwnIssuer, encoded

ISSUER = OwnIssuer()
RSA = ISSUER.keys[0]
TWICE = encoded(b'{"a":1,"a":2}')
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c", "..", "a.b.c.d", f"{encoded({})}.{encoded(b'[]')}.x",
     f"{TWICE}.{encoded({})}.x", "é.é.é",
     f"{encoded({})}.{encoded({'x': 'y' * LONGEST})}.x"],
)  # fmt: skip
def test_what_is_no_jwt_is_not_read(text: str) -> None:
    assert read(text) is None


def test_what_a_token_says_is_read_and_its_signature_counts() -> None:
    token = read(ISSUER.token())
    assert token is not None
    assert (token.algorithm, token.key_id, token.type) == ("RS256", "rsa-1", "at+jwt")
    assert token.claims["sub"] == "alice"
    verify(token, RSA, SIGNATURES)
    with pytest.raises(NotAccepted, match="not accepted"):
        verify(token, RSA, ["ES256"])
    with pytest.raises(NotAccepted, match="signature"):
        verify(token, RSAKey.generate_key(2048), SIGNATURES)
    with pytest.raises(NotAccepted, match="signature"):
        verify(token, EC, SIGNATURES)


def test_a_changed_claim_is_noticed() -> None:
    head, _, seal = ISSUER.token().split(".")
    token = read(".".join((head, encoded(ISSUER.claims(sub="mallory")), seal)))
    assert token is not None
    with pytest.raises(NotAccepted, match="signature"):
        verify(token, RSA, SIGNATURES)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "", 5])
def test_only_signatures_with_a_public_half_count(algorithm: object) -> None:
    token = read(f"{encoded({'alg': algorithm})}.{encoded(ISSUER.claims())}.{encoded(b'x')}")
    assert token is not None
    with pytest.raises(NotAccepted):
        verify(token, RSA, SIGNATURES)
    with pytest.raises(NotAccepted):
        verify(token, OctKey.generate_key(256), ["HS256"])


def test_critical_extensions_are_not_understood() -> None:
    token = read(f"{encoded({'alg': 'RS256', 'crit': ['x'], 'x': 1})}.{encoded({})}.x")
    assert token is not None
    with pytest.raises(NotAccepted, match="critical"):
        verify(token, RSA, SIGNATURES)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({}, "never expires"),
        ({"exp": NOW - 31}, "expired"),
        ({"exp": NOW + 9, "nbf": NOW + 31}, "not valid yet"),
        ({"exp": NOW + 9, "iat": NOW + 31}, "not valid yet"),
        ({"exp": "soon"}, "no time"),
        ({"exp": True}, "no time"),
        ({"exp": 2**41}, "no time"),
        ({"exp": -1}, "no time"),
    ],
)
def test_a_token_counts_only_in_its_time(claims: dict[str, object], says: str) -> None:
    with pytest.raises(NotAccepted, match=says):
        check_time(claims, NOW, 30)  # type: ignore[arg-type]


def test_clocks_may_differ_a_little() -> None:
    assert check_time({"exp": NOW - 29, "nbf": NOW + 29}, NOW, 30) == NOW - 29
    assert check_time({"iat": NOW - 10}, NOW, 5, most_age=60) == NOW + 50
    with pytest.raises(NotAccepted, match="made"):
        check_time({"exp": NOW + 9}, NOW, 5, most_age=60)


@pytest.mark.parametrize(
    "key",
    [
        None, "x", {}, {"kty": "oct", "k": "x"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}, {"kty": "XYZ"},
        EC.as_dict(private=True),
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_none(key: object) -> None:
    assert public_key(key) is None  # type: ignore[arg-type]


def test_public_keys_are_keys() -> None:
    for key in (RSA, EC):
        found = public_key(key.as_dict(private=False))  # type: ignore[arg-type]
        assert found is not None
        assert found.thumbprint() == key.thumbprint()
