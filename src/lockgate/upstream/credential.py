"""As whom the gateway comes to an upstream. Never with anything a client sent."""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from lockgate.upstream.oauth_token import OAuthClient

Mode = Literal["none", "static", "exchange", "client_credentials", "account", "id_jag"]
PERSONAL: frozenset[Mode] = frozenset({"exchange", "account", "id_jag"})
"""Each person has their own, so that no link may be shared."""


class Credential(msgspec.Struct, frozen=True):
    """How an upstream's access tokens are had. ``none`` and ``static`` need none."""

    mode: Mode = "none"
    issuer: str = ""
    """Of the upstream's authorization server. Empty: the one its metadata names."""
    client: OAuthClient = OAuthClient("")
    scopes: tuple[str, ...] = ()
    audience: str = ""
    """What a token exchange asks the token for, besides the upstream's URL."""
    resource: str = ""
    """The upstream as its authorization server names it (RFC 8707). Empty: its URL."""
    idp_issuer: str = ""
    """``id_jag``: the company's identity provider."""
    idp_client: OAuthClient = OAuthClient("")
    subject_type: str = ""
    """Kind of the person's token that is exchanged (RFC 8693, section 3)."""

    def __repr__(self) -> str:
        return f"Credential({self.mode!r}, issuer={self.issuer!r}, client={self.client!r})"


class Bearer(Protocol):
    """The credential of one link."""

    async def headers(self) -> Mapping[str, str]:
        """To be sent with one request. Raises ``SendFailed``: ``upstream.credential`` or
        ``upstream.connect``."""
        ...

    async def refused(self, sent: Mapping[str, str], challenge: str, *, again: bool) -> None:
        """The upstream answered 401 to those headers, or 403, with that ``WWW-Authenticate``; the
        next ones will be others. ``again``: they were others already. Raises as ``headers``, where
        there is no use in asking once more."""
        ...


class NoBearer:
    """Satisfies ``Bearer`` where configured headers are all there is."""

    async def headers(self) -> Mapping[str, str]:
        return {}

    async def refused(self, sent: Mapping[str, str], challenge: str, *, again: bool) -> None:
        """There is no other; the status says it all."""
