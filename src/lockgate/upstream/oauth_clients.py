"""As which client the gateway comes to an authorization server that a person connects to.

Registered beforehand is best; then a client metadata document of our own (CIMD); then dynamic
registration (RFC 7591), for servers that have nothing else (MCP 2026-07-28, Authorization, "Client
Registration"). What one server registered is never shown to another.
"""

import asyncio
from collections.abc import Callable

import msgspec

from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.upstream.oauth_metadata import OAuthFailed, Server
from lockgate.upstream.oauth_token import ClientAuth, OAuthClient

_MOST = 1_000


class _Registered(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str = ""
    token_endpoint_auth_method: str = ""


class OAuthClients:
    """``base``: the gateway's own origin as browsers reach it; ``redirect`` and ``document``: paths
    at it."""

    def __init__(
        self, fetch: Fetch, base: Callable[[], str], *, redirect: str, document: str
    ) -> None:
        self._fetch = fetch
        self._base = base
        self._redirect = redirect
        self._document = document
        self._registered: dict[tuple[str, str], OAuthClient] = {}
        self._turn = asyncio.Lock()

    async def of(self, configured: OAuthClient, server: Server) -> OAuthClient:
        """Raises ``OAuthFailed``."""
        if configured.id:
            return configured
        base = self._base()
        if server.client_id_metadata_document_supported and base.startswith("https://"):
            return OAuthClient(base + self._document, auth="none")
        if not server.registration_endpoint:
            raise OAuthFailed("no client_id is configured, and the server registers none")
        async with self._turn:
            key = (server.issuer, base)
            if key not in self._registered:
                self._registered[key] = await self._register(server)
            while len(self._registered) > _MOST:
                del self._registered[next(iter(self._registered))]
            return self._registered[key]

    def document(self) -> bytes:
        """Our client metadata document (RFC 7591, section 2)."""
        return msgspec.json.encode(
            {"client_id": self._base() + self._document, **self._metadata("none")}
        )

    def _metadata(self, auth: str) -> dict[str, object]:
        base = self._base()
        return {
            "client_name": "Lockgate",
            "client_uri": base,
            "redirect_uris": [base + self._redirect],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": auth,
            "application_type": "web" if base.startswith("https://") else "native",
        }

    async def _register(self, server: Server) -> OAuthClient:
        known = server.token_endpoint_auth_methods_supported
        methods: tuple[ClientAuth, ...] = ("client_secret_basic", "client_secret_post", "none")
        auth: ClientAuth = next((one for one in methods if one in known), "none")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = msgspec.json.encode(self._metadata(auth))
        try:
            answer = await self._fetch("POST", server.registration_endpoint, headers, body)
            said = msgspec.json.decode(answer.body, type=_Registered)
        except FetchFailed as failed:
            raise OAuthFailed(str(failed)) from None
        except msgspec.DecodeError:
            raise OAuthFailed("the server did not register a client") from None
        given = said.token_endpoint_auth_method
        used = next((one for one in methods if one == given), auth)
        return OAuthClient(said.client_id, said.client_secret, auth=used)
