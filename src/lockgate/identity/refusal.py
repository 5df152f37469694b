"""Why a credential was not accepted."""

import msgspec

from lockgate.model import REASONS, Uncatalogued


class AuthRefusal(msgspec.Struct, frozen=True):
    """Raises ``Uncatalogued`` for a reason that ``model/reasons.py`` does not list."""

    reason: str
    detail: str = ""
    """For operators: which check failed. Never for the client, who could probe with it; never any
    part of the credential but its public id."""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise Uncatalogued(self.reason)
