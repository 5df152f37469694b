"""A signed JWT (RFC 7519, RFC 7515), as far as its signature and its clock say anything.

What its claims mean is for those who ask: an access token, a logout token and a DPoP proof have
rules of their own.
"""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Collection

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from lockgate.identity.issuer import Claims
from lockgate.model import Json
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

LONGEST = 16_384
"""Characters of a token. Longer ones would cost time before anybody is known."""

_LIMITS = Limits(bytes=LONGEST, depth=16)
_SHORTEST_MODULUS = 341
"""Characters of 2,048 bits in base64url (RFC 7518, 3.3)."""
_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
"""Of keys that have a public half, by ``kty`` (RFC 7518, 6.1; RFC 8037, 2)."""


class _Registry(jws.JWSRegistry):
    """One algorithm; a header as long as a DPoP key needs, with what an issuer adds to it."""

    max_header_length = LONGEST

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)


class NotAccepted(Exception):
    """It is not what it says. The text is for operators and holds nothing of the token."""


class Unverified(msgspec.Struct, frozen=True):
    """What a token says of itself. Good for choosing the key, and for nothing else."""

    text: str
    header: Claims
    claims: Claims

    @property
    def algorithm(self) -> str:
        return _text(self.header, "alg")

    @property
    def key_id(self) -> str:
        return _text(self.header, "kid")

    @property
    def type(self) -> str:
        """Lower case, without ``application/`` (RFC 7515, 4.1.9)."""
        return _text(self.header, "typ").lower().removeprefix("application/")


def read(text: str) -> Unverified | None:
    """None for what is no compact JWS of a JSON object; then it may be a token of another kind."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > LONGEST:
        return None
    header, claims = (_decoded(part) for part in parts[:2])
    if header is None or claims is None:
        return None
    return Unverified(text, header, claims)


def verify(token: Unverified, key: Key, algorithms: Collection[str]) -> None:
    """The signature is this key's, made by one of ``algorithms``. Raises ``NotAccepted``."""
    if token.algorithm not in algorithms:
        raise NotAccepted(f"signed by {token.algorithm[:16] or 'nothing'}, which is not accepted")
    if "crit" in token.header:  # RFC 7515, 4.1.11: what must be understood and is not, is refused
        raise NotAccepted("its header has critical extensions")
    if not isinstance(key, tuple(_KINDS.values())):
        raise NotAccepted("the key is no public key")
    try:
        jws.deserialize_compact(token.text, key, registry=_Registry(token.algorithm))
    except (JoseError, ValueError, TypeError) as error:
        raise NotAccepted(f"its signature is not the key's: {type(error).__name__}") from None


def public_key(said: Json) -> Key | None:
    """A JSON Web Key (RFC 7517). None for what is none, or of a kind that is not known here; a
    symmetric or private one where a public one belongs is a mistake or an attack."""
    kind = _KINDS.get(str(said.get("kty"))) if isinstance(said, dict) else None
    if not isinstance(said, dict) or kind is None or "d" in said:
        return None
    members: dict[str, str | list[str]] = {k: v for k, v in said.items() if isinstance(v, str)}
    if kind is RSAKey and len(str(members.get("n", ""))) < _SHORTEST_MODULUS:
        return None
    try:
        return kind.import_key(members)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def check_time(claims: Claims, now: float, leeway: float, *, most_age: float | None = None) -> int:
    """When it expires: seconds since the Unix epoch. ``most_age``: in place of ``exp``, seconds
    after ``iat``. Raises ``NotAccepted``."""
    issued = _seconds(claims, "iat")
    expires = _seconds(claims, "exp")
    if most_age is not None:
        if issued is None:
            raise NotAccepted("it does not say when it was made")
        expires = issued + most_age if expires is None else min(expires, issued + most_age)
    if expires is None:
        raise NotAccepted("it never expires")
    if now >= expires + leeway:
        raise NotAccepted("it has expired")
    begins = [t for t in (_seconds(claims, "nbf"), issued) if t is not None]
    if any(now < begin - leeway for begin in begins):
        raise NotAccepted("it is not valid yet")
    return int(expires)


def _seconds(claims: Claims, name: str) -> float | None:
    """RFC 7519, 2: NumericDate."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise NotAccepted(f"{name} is no time")
    return value


def _text(members: Claims, name: str) -> str:
    found = members.get(name)
    return found if isinstance(found, str) else ""


def _decoded(part: str) -> dict[str, Json] | None:
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        found = check(raw, _LIMITS)  # refuses repeated members: two readers would see two tokens
    except (WireRefusal, binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None
