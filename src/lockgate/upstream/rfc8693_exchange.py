"""Token exchange (RFC 8693): what proves the person to us becomes a token for one upstream."""

from typing import Protocol

import msgspec

from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import Token, TokenEndpoint

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name


class SubjectToken(msgspec.Struct, frozen=True):
    """What a person's own issuer gave their client for us. It goes to authorization servers only,
    never to an upstream."""

    text: str
    kind: str = ACCESS_TOKEN
    issuer: str = ""

    def __repr__(self) -> str:
        return f"SubjectToken(kind={self.kind!r}, issuer={self.issuer!r})"


class SubjectTokens(Protocol):
    """The tokens that principals were last authenticated with; in memory, while they are valid."""

    def token_of(self, holder: str, kind: str) -> SubjectToken | None:
        """The newest of that kind (RFC 8693, section 3) of the principal with this id."""
        ...


class Wanted(msgspec.Struct, frozen=True):
    """For whom and what the new token is."""

    audience: str = ""
    resource: str = ""
    scopes: tuple[str, ...] = ()
    kind: str = ACCESS_TOKEN


async def exchange(endpoint: TokenEndpoint, subject: SubjectToken, wanted: Wanted) -> Token:
    """Raises ``OAuthFailed``."""
    form = {
        "subject_token": subject.text,
        "subject_token_type": subject.kind,
        "requested_token_type": wanted.kind,
    }
    optional = {
        "audience": wanted.audience,
        "resource": wanted.resource,
        "scope": " ".join(wanted.scopes),
    }
    form |= {name: value for name, value in optional.items() if value}
    token = await endpoint.ask(TOKEN_EXCHANGE, form)
    if token.issued_type and token.issued_type != wanted.kind:
        raise OAuthFailed("the exchange gave a token of another kind than was asked for")
    return token
