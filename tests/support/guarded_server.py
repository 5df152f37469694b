"""A server on the public ``mcp`` SDK that demands access tokens: ``guarded_server.py ISSUER
[CERTIFICATE AUTHORITY]``.

It listens on a free port of 127.0.0.1 and prints the number as its first line. Tokens are JWTs of
ISSUER for this very server (RFC 9068), or what its introspection-free twin in the tests signs. With
CERTIFICATE it speaks TLS, and AUTHORITY must have issued the client's certificate.
"""

import asyncio
import json
import socket
import ssl
import sys
import urllib.request
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

SCOPE = "mcp:tools"


class Verifier:
    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer, self._resource = issuer, resource

    async def verify_token(self, token: str) -> AccessToken | None:
        keys = await asyncio.to_thread(self._keys)
        try:
            claims: dict[str, Any] = jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims
            wanted = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._resource},
                exp={"essential": True},
            )
            wanted.validate(claims)
        except (JoseError, ValueError):
            return None
        return AccessToken(
            token=token, client_id=claims["client_id"], scopes=claims.get("scope", "").split(),
            expires_at=claims["exp"], resource=self._resource, subject=claims.get("sub"),
        )  # fmt: skip

    def _keys(self) -> KeySet:
        with urllib.request.urlopen(f"{self._issuer}/jwks") as answer:  # noqa: S310
            return KeySet.import_key_set(json.load(answer))


def built(issuer: str, url: str) -> MCPServer:
    server = MCPServer(
        "guarded",
        token_verifier=Verifier(issuer, url),
        auth=AuthSettings(
            issuer_url=issuer, resource_server_url=url, required_scopes=[SCOPE],  # type: ignore[arg-type]
            validate_token_resource=True,
        ),
    )  # fmt: skip

    @server.tool()
    async def whoami() -> str:
        """As whom the caller comes here."""
        token = get_access_token()
        assert token is not None
        return f"{token.subject} via {token.client_id}"

    return server


def main() -> None:
    issuer, *tls = sys.argv[1:]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        print(port, flush=True)  # noqa: T201
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/mcp"
        app = built(issuer, url).streamable_http_app()
        config = uvicorn.Config(app, log_level="warning")
        if tls:
            config = uvicorn.Config(
                app, log_level="warning", ssl_certfile=tls[0], ssl_ca_certs=tls[1],
                ssl_cert_reqs=ssl.CERT_REQUIRED,
            )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
