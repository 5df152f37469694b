"""A real OpenID provider for tests: npm ``oidc-provider``, driven by ``tests/node/provider.mjs``.

    with running_provider() as provider:                       # or tls=True: see ``provider.ca``
        tokens = provider.token("alice", resource="https://gate.example/mcp")
        bound = provider.token("bob", resource=..., client="desk-agent", dpop=ECKey.generate_key())
        robot = provider.client_credentials("robot", resource=...)

What is there. People: ``alice``, ``bob``, ``doctor`` (password "password"), with the claims
``groups`` and ``acr`` in their access tokens. Clients: see ``CLIENTS``. Access tokens are JWTs
(RFC 9068) for the resource that was asked for (RFC 8707), opaque where ``set(opaque=[resource])``
says so. PKCE, rotating refresh tokens, device codes, introspection, revocation, DPoP
(``set(dpopNonce=True)`` demands nonces), with ``tls=True`` also certificate-bound tokens.
``iss`` comes in the authorization response.

What can be done to it: ``set`` (see ``settings`` in the script), ``rotate_keys``, ``stop`` and
``start`` (its grants live on), ``revoke`` a grant, ``log_out`` a person (tells every client that
has a ``backchannel_logout_uri``), ``put_client``, ``put_user``, ``log`` of its requests (without
any secret). It signs nobody in by itself: ``sign_in`` follows a URL as a person would.

It ends with the tests, however they end: it reads its orders from a pipe. Needs
``sh scripts/setup_node.sh``.
"""

import base64
import hashlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import trustme
from joserfc import jwt
from joserfc.jwk import ECKey

from support.form_browser import FormBrowser, Page
from support.gateway import ROOT

SCRIPT = ROOT / "tests" / "node" / "provider.mjs"
NODE = ROOT / ".node" / "bin" / "node"
PASSWORD, MFA = "urn:acr:password", "urn:acr:mfa"
SCOPES = ("mcp:tools", "mcp:admin")
"""Of every resource."""
USERS: dict[str, dict[str, Any]] = {
    "alice": {"name": "Alice", "groups": ["developers"], "acr": PASSWORD},
    "bob": {"name": "Bob", "groups": ["billing"], "acr": PASSWORD},
    "doctor": {"name": "Dr. Dora", "groups": ["doctors", "staff"], "acr": MFA},
}
LOGIN, AGENT, CONSOLE, ROBOT, API = "lockgate-login", "desk-agent", "console", "robot", "gateway"
REDIRECT = "http://127.0.0.1/callback"
"""Of ``LOGIN``, on any port (RFC 8252 section 7.3)."""
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_CODE = ["authorization_code", "refresh_token"]


def _secret(name: str) -> str:
    return f"secret-of-{name}-{'x' * 24}"


CLIENTS: dict[str, dict[str, Any]] = {
    LOGIN: {"application_type": "native", "token_endpoint_auth_method": "none",
            "redirect_uris": [REDIRECT], "grant_types": [*_CODE, _DEVICE]},
    AGENT: {"client_secret": _secret(AGENT), "redirect_uris": ["https://agent.example/callback"],
            "grant_types": [*_CODE, "client_credentials"]},
    CONSOLE: {"client_secret": _secret(CONSOLE), "grant_types": _CODE,
              "redirect_uris": ["https://console.example/callback"],
              "post_logout_redirect_uris": ["https://console.example/bye"]},
    ROBOT: {"client_secret": _secret(ROBOT), "redirect_uris": [], "response_types": [],
            "grant_types": ["client_credentials"]},
    API: {"client_secret": _secret(API), "redirect_uris": [], "response_types": [],
          "grant_types": []},
}  # fmt: skip
"""``LOGIN`` is public and native, for people at a command line; ``AGENT`` and ``CONSOLE`` are
confidential and send people through a browser; ``ROBOT`` has client credentials only; ``API`` is a
resource server that introspects."""


class Tokens(msgspec.Struct, frozen=True):
    """A token response (RFC 6749 section 5.1)."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int = 0
    scope: str = ""
    refresh_token: str = ""
    id_token: str = ""


class Refused(Exception):
    """The provider's error code, and its description."""

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(error, description)
        self.error = error


class Provider:
    """A running one. ``ca`` (PEM) is empty without TLS."""

    def __init__(self, process: "subprocess.Popen[bytes]", issuer: str, ca: bytes) -> None:
        self._process, self.issuer, self.ca = process, issuer, ca

    # Tokens, as a person or a client gets them.

    def token(
        self, user: str, *, resource: str, client: str = LOGIN, scope: str = "openid mcp:tools",
        dpop: ECKey | None = None, identity: bytes = b"", **more: str,
    ) -> Tokens:  # fmt: skip
        """By the authorization code flow with PKCE. ``identity`` (PEM certificate and key) is shown
        to the token endpoint; ``more`` goes into the authorization request (``acr_values``, ...),
        ``acr`` into the sign-in."""
        verifier, redirect = secrets.token_urlsafe(32), self.redirect_of(client)
        asked = {
            "response_type": "code", "client_id": client, "redirect_uri": redirect,
            "scope": scope, "resource": resource, "state": secrets.token_urlsafe(8),
            "code_challenge": _s256(verifier.encode()), "code_challenge_method": "S256",
            "prompt": "login consent", **{k: v for k, v in more.items() if k != "acr"},
        }  # fmt: skip
        url = f"{self.issuer}/auth?{urlencode(asked)}"
        page = self.sign_in(url, user, stop=redirect, acr=more.get("acr", ""))
        said = {k: v[0] for k, v in parse_qs(urlsplit(page.url).query).items()}
        if "code" not in said:
            raise Refused(said.get("error", page.text), said.get("error_description", ""))
        return self.grant(client, dpop=dpop, identity=identity, grant_type="authorization_code",
                          code=said["code"], redirect_uri=redirect, code_verifier=verifier,
                          resource=resource)  # fmt: skip

    def client_credentials(
        self, client: str = ROBOT, *, resource: str, scope: str = "mcp:tools",
        dpop: ECKey | None = None, identity: bytes = b"",
    ) -> Tokens:  # fmt: skip
        return self.grant(client, dpop=dpop, identity=identity, grant_type="client_credentials",
                          resource=resource, scope=scope)  # fmt: skip

    def grant(
        self, client: str, *, dpop: ECKey | None = None, identity: bytes = b"", **form: str
    ) -> Tokens:
        """One request to the token endpoint. Raises ``Refused``."""
        said = self._post("/token", client, form, dpop, identity)
        if said.get("error") == "use_dpop_nonce":
            said = self._post("/token", client, form, dpop, identity, said["nonce"])
        if "error" in said:
            raise Refused(said["error"], said.get("error_description", ""))
        return msgspec.convert(said, Tokens)

    def introspect(self, token: str, client: str = API) -> dict[str, Any]:
        return self._post("/token/introspection", client, {"token": token})

    def sign_in(self, url: str, user: str, *, stop: str = "\0", **fields: str) -> Page:
        """What a person does in a browser that is sent to ``url``: a sign-in, or a device code.
        ``refuse="1"`` says no."""
        given = {"login": user, "password": "password", **fields}
        return FormBrowser(self.ca).visit(url, given, stop)

    @staticmethod
    def redirect_of(client: str) -> str:
        return str(CLIENTS[client]["redirect_uris"][0])

    @staticmethod
    def secret_of(client: str) -> str:
        return str(CLIENTS[client].get("client_secret", ""))

    def proof(self, key: ECKey, method: str, url: str, *, token: str = "", nonce: str = "") -> str:
        """A DPoP proof (RFC 9449 section 4.2)."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
        claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url,
                  "iat": int(time.time())}  # fmt: skip
        if token:
            claims["ath"] = _s256(token.encode())
        if nonce:
            claims["nonce"] = nonce
        return jwt.encode(header, claims, key, algorithms=["ES256"])

    def _post(
        self, path: str, client: str, form: Mapping[str, str], dpop: ECKey | None = None,
        identity: bytes = b"", nonce: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        url = self.issuer + path
        with FormBrowser(self.ca, identity).client() as http:
            request = http.post(url)
            if secret := self.secret_of(client):
                request = request.basic_auth(client, secret)
                request = request.form(dict(form))
            else:
                request = request.form({"client_id": client, **form})
            if dpop is not None:
                request = request.header("dpop", self.proof(dpop, "POST", url, nonce=nonce))
            answer = request.build().send()
            said: dict[str, Any] = json.loads(answer.text() or "{}")
            return {**said, "nonce": answer.headers.get("dpop-nonce") or ""}

    # What is done to it.

    def set(self, **settings: Any) -> None:
        """``accessTokenSeconds``, ``alg`` (RS256, ES256), ``opaque``, ``dpopNonce``,
        ``rotateRefreshTokens``, ``deviceSeconds``."""
        self._order("set", **settings)

    def rotate_keys(self, *, keep: bool = True) -> str:
        """New signing keys; the old ones stay published if ``keep``. The new ``kid`` of RS256."""
        return str(self._order("rotate", keep=keep))

    def stop(self) -> None:
        """Nobody listens at its port any more, until ``start``."""
        self._order("down")

    def start(self) -> None:
        self._order("up")

    def put_user(self, name: str, claims: Mapping[str, Any] | None) -> None:
        """Add or change; None: forget."""
        self._order("user", name=name, claims=claims)

    def put_client(self, metadata: Mapping[str, Any]) -> None:
        self._order("client", metadata=metadata)

    def revoke(self, user: str, client: str = "") -> int:
        """The grants of ``user`` (to ``client``), and all that hangs on them. How many."""
        return int(self._order("revoke", user=user, client=client))

    def log_out(self, user: str) -> int:
        """OpenID Connect back-channel logout, to every client that has an address for it and that
        ``user`` has used (or whose metadata say ``always_told``). How many were told."""
        return int(self._order("logout", user=user))

    def log(self, route: str = "") -> list[dict[str, Any]]:
        """Its requests so far, or those to ``route`` (``token``, ``revocation``, ...)."""
        found: list[dict[str, Any]] = self._order("log")
        return [one for one in found if route in ("", one["route"])]

    def _order(self, order: str, **rest: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **rest}).encode() + b"\n")
        self._process.stdin.flush()
        return _answer(self._process)


@contextmanager
def running_provider(
    *, tls: bool = False, users: Mapping[str, Any] = USERS,
    clients: Mapping[str, Mapping[str, Any]] = CLIENTS, resources: Sequence[str] | None = None,
    scopes: Sequence[str] = SCOPES, **settings: Any,
) -> Iterator[Provider]:  # fmt: skip
    """On a free port of 127.0.0.1. ``resources``: the only ones it knows; None: any. For
    ``settings`` see ``Provider.set``."""
    with tempfile.TemporaryDirectory(prefix="lockgate-op-") as folder:
        given = {"users": users, "scopes": scopes, "resources": resources, "settings": settings,
                 "clients": [{"client_id": k, **v} for k, v in clients.items()]}  # fmt: skip
        ca = _certified(Path(folder), given) if tls else b""
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [NODE, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                cwd=folder, env={"PATH": os.environ["PATH"]}, start_new_session=True,
            )  # fmt: skip
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(given).encode() + b"\n")
            process.stdin.flush()
            issuer = _answer(process, (Path(folder) / "log").read_text)
            yield Provider(process, issuer, ca)
        finally:
            _end(process)


def _certified(folder: Path, given: dict[str, Any]) -> bytes:
    """Writes a certificate for 127.0.0.1; who issued it."""
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    own.private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
    given["tls"] = {"cert": str(folder / "own.pem"), "key": str(folder / "own.pem")}
    return authority.cert_pem.bytes()


def _answer(process: "subprocess.Popen[bytes]", why: Any = lambda: "it has ended") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the provider: {why()}; run `sh scripts/setup_node.sh`")
    said = json.loads(line)
    if "failed" in said:
        raise RuntimeError(said["failed"])
    return said["done"]


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process.stdout.close()


def _s256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
