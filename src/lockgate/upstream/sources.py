"""Ways to an access token that need no person in front of a browser."""

from lockgate.model import SendFailed
from lockgate.upstream.id_jag import ask_id_jag
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.rfc8693_exchange import (
    ACCESS_TOKEN,
    ID_TOKEN,
    SubjectToken,
    SubjectTokens,
    Wanted,
    exchange,
)
from lockgate.upstream.target import HttpTarget, Registered

SIGN_IN = "It is used with the token of a person who signed in; this credential is none"


class ClientCredentials:
    """The gateway in its own name (RFC 6749, section 4.4)."""

    kept = True

    def __init__(self, servers: OAuthServers) -> None:
        self._servers = servers

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:  # noqa: ARG002
        """See ``Source``."""
        target = target_of(registered)
        found = await self._servers.of(target)
        form = {"resource": found.resource}
        if found.scopes:
            form["scope"] = " ".join(found.scopes)
        endpoint = self._servers.endpoint(found.server, target.credential.client)
        return await endpoint.ask("client_credentials", form)

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        """Only the operator can help."""


class Exchange:
    """The person's own token, exchanged for one for this upstream (RFC 8693)."""

    kept = True

    def __init__(self, servers: OAuthServers, subjects: SubjectTokens) -> None:
        self._servers = servers
        self._subjects = subjects

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:  # noqa: ARG002
        """See ``Source``."""
        target = target_of(registered)
        wanted = target.credential
        subject = _subject(self._subjects, holder, wanted.subject_type or ACCESS_TOKEN)
        found = await self._servers.of(target)
        endpoint = self._servers.endpoint(found.server, wanted.client)
        asked = Wanted(wanted.audience, found.resource, found.scopes)
        return await exchange(endpoint, subject, asked)

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        """Only the operator can help."""


class IdJag:
    """Enterprise-managed access: see ``id_jag``."""

    kept = True

    def __init__(self, servers: OAuthServers, subjects: SubjectTokens) -> None:
        self._servers = servers
        self._subjects = subjects

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:  # noqa: ARG002
        """See ``Source``."""
        target = target_of(registered)
        wanted = target.credential
        subject = _subject(self._subjects, holder, wanted.subject_type or ID_TOKEN)
        found = await self._servers.of(target)
        idp = self._servers.endpoint(
            await self._servers.named(wanted.idp_issuer), wanted.idp_client
        )
        server = self._servers.endpoint(found.server, wanted.client)
        return await ask_id_jag(idp, server, subject, found.resource, found.scopes)

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        """Only the operator can help."""


def target_of(registered: Registered) -> HttpTarget:
    assert isinstance(registered.target, HttpTarget)  # noqa: S101 - settings allow no other
    return registered.target


def _subject(subjects: SubjectTokens, holder: str, kind: str) -> SubjectToken:
    found = subjects.token_of(holder, kind)
    if found is None:
        raise SendFailed(
            "upstream.credential", "there is no token of this principal to exchange", SIGN_IN
        )
    return found
