"""Who may vouch for people, and how each kind of identity provider writes its access tokens."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from lockgate.model import Json

Claims = Mapping[str, Json]
ProfileName = Literal[
    "generic", "entra-v1", "entra-v2", "okta", "ping", "keycloak", "google"
]  # fmt: skip

SIGNATURES = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
    "EdDSA",
)  # fmt: skip
"""Accepted everywhere: never ``none``, never one whose key both sides hold (RFC 8725, 3.1)."""


class Profile(msgspec.Struct, frozen=True):
    """The quirks of one kind of provider. Paths of claims are tried in order."""

    name: ProfileName
    types: frozenset[str]
    """``typ`` headers an access token may have, lower case, without ``application/``; empty: none
    at all."""
    is_access_token: Callable[[Claims], bool]
    """Asked where ``typ`` does not say it: whether these claims are an access token's."""
    subject: tuple[str, ...] = ("sub",)
    scopes: tuple[str, ...] = ("scope", "scp")
    roles: tuple[str, ...] = ("roles", "groups")
    client: tuple[str, ...] = ("client_id", "azp")
    token_id: tuple[str, ...] = ("jti",)
    is_application: Callable[[Claims], bool] = lambda _: False
    """Whether the token is a program's own and no person's. A subject that is the client itself
    always is (RFC 9068, 2.2)."""
    opaque: bool = False
    """Its access tokens are no JWT; they are asked about."""
    registration: str = "dynamic registration, or by hand"
    """How its clients come to be known there: for the documents."""
    remark: str = ""


class Client(msgspec.Struct, frozen=True):
    """A registered OAuth client of an issuer, as this gateway knows it."""

    agent: str = ""
    """Its name in policy and journal; empty: its client id."""
    owner: str = ""
    """Who answers for what it does in its own name."""
    workload: str = ""
    """The only workload that may send its tokens, by certificate; empty: any."""


class Introspection(msgspec.Struct, frozen=True):
    """RFC 7662. The secret is resolved already, so this is never printed."""

    url: str
    client: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return f"Introspection({self.url})"


class Issuer(msgspec.Struct, frozen=True):
    name: str
    """As policy and journal call it."""
    url: str
    """Exactly as its tokens say it in ``iss`` (RFC 8414, 2: ``issuer``)."""
    profile: Profile
    audiences: frozenset[str] = frozenset()
    """Accepted besides the gateway's own URLs: for providers that cannot name a resource by URL."""
    keys_url: str = ""
    """Empty: where the issuer's metadata says."""
    keys_file: str = ""
    """Instead of any network: a JSON Web Key Set that somebody puts there."""
    introspection: Introspection | None = None
    algorithms: frozenset[str] = frozenset(SIGNATURES)
    namespace: str = ""
    """Put before each subject, so that two issuers cannot name the same person by chance."""
    clients: Mapping[str, Client] = {}
    only_known_clients: bool = False
    scopes: frozenset[str] = frozenset()
    """What every token must have been issued for."""
    implied: Mapping[str, frozenset[str]] = {}
    """Scopes that hold others."""
    roles: Mapping[str, str] = {}
    """What the issuer calls a role or group, and what policy calls it. Others keep their name."""
    mfa: frozenset[str] = frozenset()
    """Values of ``acr`` that mean more than one factor."""
    leeway_seconds: int = 30
    """How far its clock may be from ours."""

    def granted(self, scopes: frozenset[str]) -> frozenset[str]:
        """With all that these imply."""
        found, new = set(scopes), set(scopes)
        while new:
            new = {s for one in new for s in self.implied.get(one, ())} - found
            found |= new
        return frozenset(found)


def claim(claims: Claims, path: str) -> Json:
    """``realm_access.roles`` looks inside. A claim with that very name counts first."""
    if path in claims:
        return claims[path]
    found: Json = dict(claims)
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def first_text(claims: Claims, paths: tuple[str, ...]) -> str:
    for path in paths:
        found = claim(claims, path)
        if isinstance(found, str) and found:
            return found
    return ""


def words(claims: Claims, paths: tuple[str, ...]) -> frozenset[str]:
    """Texts of all these claims, be they lists or separated by spaces (RFC 6749, 3.3)."""
    found: set[str] = set()
    for path in paths:
        value = claim(claims, path)
        if isinstance(value, str):
            found |= set(value.split())
        elif isinstance(value, list):
            found |= {one for one in value if isinstance(one, str)}
    return frozenset(found)
