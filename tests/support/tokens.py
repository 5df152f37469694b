"""An issuer at hand: its keys, its documents on a real socket, and every token, right or wrong.

The tests of ``e2e`` use a real provider; here each single claim can be bent.
"""

import hashlib
import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from lockgate.identity.issuer import Issuer
from lockgate.identity.profiles import PROFILES
from support.upstream_endpoint import serving

NOW = int(time.time())
NOW_MS = NOW * 1_000
"""Of now, since certificates are too."""
RESOURCE = "https://gate.example/mcp"
Json = dict[str, Any]

_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
"""Made once: it takes a while."""


def encoded(part: Json | bytes) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Json, claims: Json | bytes, key: Key) -> str:
    raw = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(header, raw, key, registry=registry)


class OwnIssuer:
    """``said``: what its documents hold; a test may change them. ``asked``: paths, in order."""

    def __init__(self, profile: str = "generic", **settings: Any) -> None:
        self.profile = PROFILES[profile]  # type: ignore[index]
        self.settings = settings
        self.url = "https://issuer.example"
        self.keys: list[Key] = [_RSA]
        self.asked: list[str] = []
        self.down = False
        self.active: dict[str, Json] = {}
        """What introspection says about each token."""
        self.metadata: Json = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["OwnIssuer"]:
        async with serving(self) as place:
            self.url = place.removesuffix("/mcp")
            self.metadata = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
            yield self

    @property
    def issuer(self) -> Issuer:
        return Issuer("corp", self.url, self.profile, **self.settings)

    def claims(self, **changes: Any) -> Json:
        """Of an access token as RFC 9068 has it. None takes a claim away."""
        all_of_it = {
            "iss": self.url, "sub": "alice", "aud": RESOURCE, "exp": NOW + 3_600, "iat": NOW - 5,
            "jti": uuid.uuid4().hex, "client_id": "desk", **changes,
        }  # fmt: skip
        return {name: value for name, value in all_of_it.items() if value is not None}

    def token(
        self, header: Mapping[str, Any] | None = None, key: Key | None = None, **changes: Any
    ) -> str:
        key = key or self.keys[0]
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        sent = {"alg": algorithm, "typ": "at+jwt", "kid": key.get("kid"), **(header or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        return signed(sent, self.claims(**changes), key)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.asked.append(path)
        body = (await receive()).get("body", b"")
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": self.metadata,
            "/jwks": {"keys": [key.as_dict(private=False) for key in self.keys]},
        }
        if path == "/introspect":
            token = parse_qs(body.decode()).get("token", [""])[0]
            documents[path] = self.active.get(token, {"active": False})
        status = 503 if self.down else 200 if path in documents else 404
        said = json.dumps(documents.get(path, {})).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})


class Holder:
    """A client with a DPoP key of its own (RFC 9449)."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256")

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(
        self, token: str, header: Json | None = None, key: Key | None = None, **changes: Any
    ) -> str:
        public = self.key.as_dict(private=False)
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **(header or {})}
        digest = hashlib.sha256(token.encode()).digest()
        claims = {
            "jti": uuid.uuid4().hex, "htm": "POST", "htu": RESOURCE, "iat": NOW,
            "ath": encoded(digest), **changes,
        }  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        return signed(head, kept, key or self.key)
