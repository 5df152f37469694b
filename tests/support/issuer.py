"""An identity provider in memory that can be told to lie. The honest one is ``oidc_provider``."""

import hashlib
import hmac
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import RSAKey

from lockgate.identity import issuer as identity
from lockgate.identity.key_sets import KeySets
from lockgate.identity.logout_token import EVENT
from lockgate.identity.metadata import Metadata
from lockgate.identity.profiles import PROFILES
from lockgate.model.fetch import Fetched, FetchFailed

ISSUER = "https://login.example"
CLIENT = "lockgate"
SECRET = "a secret/of the client"


class Issuer:
    """Satisfies ``model.fetch.Fetch``. ``known``, ``described`` and ``keys`` are what this gateway
    has of it. ``claims`` and ``header`` change what it signs next; None
    leaves a claim out."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, private=True)
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, str | None] = {}
        """Changes to the authorization response."""
        self.signs_with: RSAKey | bytes = self.key
        """Bytes: HMAC (HS256) keyed with them, which joserfc would not do with a public key."""
        self.remembers = False
        """Its browser session counts, even where somebody must sign in anew."""
        self.careless = False
        """It takes each code again and again."""
        self.down = False
        self.log: list[str] = []
        self.now = 0.0
        """Seconds of the clock by which our copies of its documents grow old."""
        self.known = identity.Issuer(
            "login", ISSUER, PROFILES["generic"], clients={CLIENT: identity.Client()}
        )
        self.described = Metadata(self, lambda: self.now)
        self.keys = KeySets(self, lambda path: b"", self.described, lambda: self.now)
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, address: str, sub: str = "alice") -> dict[str, str]:
        """What the browser that was sent to ``address`` brings back, once ``sub`` has signed in."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{ISSUER}/auth?")
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = {**asked, "sub": sub}
        answer = {"code": code, "state": asked["state"], "iss": ISSUER, **self.answer}
        return {name: value for name, value in answer.items() if value is not None}

    def sign(self, claims: Mapping[str, Any], **kind: str) -> str:
        header = {"alg": "RS256", "kid": "k1", **kind, **self.header}
        now = int(time.time())
        made = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 300, **claims, **self.claims}
        kept = {name: value for name, value in made.items() if value is not None}
        if isinstance(self.signs_with, bytes):
            return _keyed(header, kept, self.signs_with)
        return jwt.encode(header, kept, self.signs_with, algorithms=[header["alg"]])

    def logout_token(self, **changes: Any) -> str:
        named = {"sub": "alice", "jti": "j1", "events": {EVENT: {}}}
        return self.sign({**named, **changes}, typ="logout+jwt")

    async def __call__(
        self, verb: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> Fetched:
        if self.down:
            raise FetchFailed("login.example: nobody answers")
        path = url.removeprefix(ISSUER)
        self.log.append(path)
        match path:
            case "/.well-known/openid-configuration":
                return _json({"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth",
                              "token_endpoint": f"{ISSUER}/token", "jwks_uri": f"{ISSUER}/jwks",
                              "authorization_response_iss_parameter_supported": True,
                              **self.metadata})  # fmt: skip
            case "/jwks":
                return _json({"keys": [self.key.as_dict(private=False)]})
            case "/token":
                return self._redeem(headers, dict(parse_qsl(body.decode())))
        return Fetched(404, b"")

    def _redeem(self, headers: Mapping[str, str], form: Mapping[str, str]) -> Fetched:
        basic = b64encode(b"lockgate:a+secret%2Fof+the+client").decode()
        asked = self._codes.get(form["code"], {})
        if not self.careless:
            self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        good = (
            headers["authorization"] == f"Basic {basic}"
            and asked.get("code_challenge") == challenge
            and asked["redirect_uri"] == form["redirect_uri"]
        )
        if not good:
            return _json({"error": "invalid_grant"}, 400)
        anew = asked.get("max_age") == "0" and not self.remembers
        at = int(time.time()) - (0 if anew else 3_600)
        named = {"sub": asked["sub"], "nonce": asked["nonce"], "name": asked["sub"].title(),
                 "auth_time": at}  # fmt: skip
        return _json({"access_token": "a", "token_type": "Bearer", "id_token": self.sign(named)})


def _keyed(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes) -> str:
    parts = [urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(key, b".".join(parts), "sha256")
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def _json(said: Mapping[str, Any], status: int = 200) -> Fetched:
    return Fetched(status, orjson.dumps(said), {"content-type": "application/json"})
