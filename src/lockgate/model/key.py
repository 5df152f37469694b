"""An API key as stored: everything but the key."""

from typing import Literal

import msgspec

KeyKind = Literal["personal", "service"]


class KeyRecord(msgspec.Struct, frozen=True):
    """Only a keyed hash of the secret part is kept (HMAC-SHA256 under the deployment's pepper)."""

    id: str
    kind: KeyKind
    owner: str
    """The person answerable; for a personal key also its subject. Mandatory."""
    subject: str
    """Personal: the owner. Service: the service's name."""
    roles: frozenset[str]
    agent: str
    """Client or agent the key was issued for; may be empty."""
    hash: str
    created: int
    expires: int
    """Both in milliseconds since the Unix epoch. Expiry is mandatory."""
    revoked: int = 0
    scopes: frozenset[str] = frozenset()
    """What it was issued for, as ``principal.scopes`` in policy (RFC 6749, 3.3). Without any, it
    may what policy says of its subject and roles, no more and no less."""
    networks: tuple[str, ...] = ()
    """Where it may be used from, in CIDR notation (RFC 4632, 3.1; RFC 4291, 2.3); anywhere where
    there are none."""
    successor: str = ""
    """Id of the key that was made in its place; this one then expires."""
    used: int = 0
    """When it was last accepted, as far as that is written: running gateways are up to a minute
    ahead. 0: never."""
