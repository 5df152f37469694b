import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.rfc7523_assertion import assertion

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KEYS: dict[str, Private] = {
    "RS256": rsa.generate_private_key(65_537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Private) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def loaded(alg: str, text: str) -> RSAKey | ECKey | OKPKey:
    if alg == "RS256":
        return RSAKey.import_key(text)
    return OKPKey.import_key(text) if alg == "Ed25519" else ECKey.import_key(text)


@pytest.mark.parametrize("alg", KEYS)
def test_a_key_in_pem_signs_with_what_it_is_for(alg: str) -> None:
    key = KEYS[alg]
    signed = assertion(pem(key), "id", "https://auth.example", 1_000, "n")
    said = jwt.decode(signed, loaded(alg, pem(key)), algorithms=[alg])
    assert said.header["alg"] == alg
    assert said.claims["aud"] == "https://auth.example"


def test_a_jwk_says_its_own_algorithm_and_name() -> None:
    key = RSAKey.generate_key(2048, {"kid": "k", "alg": "PS256"})
    text = msgspec.json.encode(key.as_dict(private=True)).decode()
    said = jwt.decode(assertion(text, "id", "a", 1, "n"), key, algorithms=["PS256"])
    assert said.header == {"alg": "PS256", "kid": "k", "typ": "JWT"}


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "{}", "{", '{"kty":"nonsense"}',
        msgspec.json.encode(OctKey.import_key("s" * 32).as_dict(private=True)).decode(),
        msgspec.json.encode(ECKey.generate_key().as_dict(private=False)).decode(),
        KEYS["ES256"].private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"p")).decode(),
    ],
)  # fmt: skip
def test_what_cannot_sign_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(OAuthFailed) as failed:
        assertion(text, "id", "a", 1, "n")
    assert "private PEM or JWK" in str(failed.value)
