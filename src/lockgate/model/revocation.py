"""That tokens of an issuer count no more."""

from typing import Literal

import msgspec

RevocationKind = Literal["token", "subject", "session"]


class Revocation(msgspec.Struct, frozen=True):
    kind: RevocationKind
    issuer: str
    """Its URL, as in ``iss``."""
    value: str
    """The token's id (``jti``), the subject (``sub``), or the session (``sid``)."""
    before: int
    """Tokens issued up to then are meant; a person may sign in again. Milliseconds since the Unix
    epoch."""
    expires: int
    """When the last such token will have expired by itself. Likewise."""
