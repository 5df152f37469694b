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
