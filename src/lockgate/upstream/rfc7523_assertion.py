"""A signed statement in place of a client secret: ``private_key_jwt`` (RFC 7523, section 2.2)."""

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

from lockgate.upstream.oauth_metadata import OAuthFailed

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SECONDS = 60
"""How long one is good."""

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def assertion(key_text: str, client_id: str, audience: str, now: int, nonce: str) -> str:
    """``audience``: the issuer, so that no other server can use it. Raises ``OAuthFailed``."""
    key = _key(key_text)
    header = {"alg": _algorithm(key), "typ": "JWT"}
    if key.kid:
        header["kid"] = key.kid
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + SECONDS,
        "jti": nonce,
    }
    try:
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])
    except (JoseError, ValueError, TypeError):
        raise OAuthFailed("the client's private key cannot sign") from None


def _key(text: str) -> RSAKey | ECKey | OKPKey:
    broken = OAuthFailed("the client's private key is not a private PEM or JWK of RSA, EC or OKP")
    try:
        found = _from_jwk(text) if text.lstrip().startswith("{") else _from_pem(text)
    except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
        raise broken from None
    if not isinstance(found, RSAKey | ECKey | OKPKey) or not found.is_private:
        raise broken
    return found


def _from_jwk(text: str) -> RSAKey | ECKey | OKPKey | OctKey:
    return import_key(msgspec.json.decode(text, type=dict[str, str | list[str]]))


def _from_pem(text: str) -> RSAKey | ECKey | OKPKey:
    match load_pem_private_key(text.encode(), None):
        case RSAPrivateKey():
            return RSAKey.import_key(text)
        case EllipticCurvePrivateKey():
            return ECKey.import_key(text)
        case _:
            return OKPKey.import_key(text)


def _algorithm(key: RSAKey | ECKey | OKPKey) -> str:
    said = key.alg
    if said:
        return said
    if isinstance(key, RSAKey):
        return "RS256"
    if isinstance(key, ECKey):
        return _CURVES.get(str(key.as_dict().get("crv")), "ES256")
    return str(key.as_dict()["crv"])  # RFC 9864
