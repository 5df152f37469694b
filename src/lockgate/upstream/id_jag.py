"""Enterprise-managed access (MCP extension ``enterprise-managed-authorization``, SEP-990).

The company's identity provider says, in a signed grant (ID-JAG), that this person may use that
upstream through us; the upstream's authorization server takes it for an access token.
"""

from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import Token, TokenEndpoint
from lockgate.upstream.rfc7523_assertion import JWT_BEARER
from lockgate.upstream.rfc8693_exchange import SubjectToken, Wanted, exchange

ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


async def ask_id_jag(
    idp: TokenEndpoint,
    server: TokenEndpoint,
    subject: SubjectToken,
    resource: str,
    scopes: tuple[str, ...],
) -> Token:
    """``resource``: the upstream, by its URL. Raises ``OAuthFailed``."""
    wanted = Wanted(server.server.issuer, resource, scopes, ID_JAG)
    grant = await exchange(idp, subject, wanted)
    if grant.issued_type != ID_JAG:
        raise OAuthFailed("the identity provider did not give an ID-JAG")
    form = {"assertion": grant.access, "resource": resource}
    if scopes:
        form["scope"] = " ".join(scopes)
    return await server.ask(JWT_BEARER, form)
