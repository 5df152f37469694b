"""What clients are told about where to get a token (RFC 9728; MCP 2026-07-28, Authorization)."""

from collections.abc import Callable, Iterable, Mapping

import orjson

from lockgate.app.exchange import Exchange, HeaderList
from lockgate.app.responding import JSON
from lockgate.identity.dpop import Nonces
from lockgate.identity.issuer import SIGNATURES, Issuer
from lockgate.wire.refusal import WireRefusal

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_ENDPOINT = "/mcp"
_DPOP = f'DPoP algs="{" ".join(SIGNATURES)}"'
_ERRORS = {
    "auth.missing": "", "auth.certificate": "",
    "auth.invalid": "invalid_token", "auth.inactive": "invalid_token",
    "auth.mismatch": "invalid_token",
    "auth.scope": "insufficient_scope",
    "auth.proof": "invalid_dpop_proof", "auth.nonce": "use_dpop_nonce",
}  # fmt: skip
"""RFC 6750, 3.1; RFC 9449, 7.1 and 9."""


class ProtectedResource:
    """Where no issuer is configured there is nothing to tell: a client that found metadata would
    start an OAuth dance instead of sending its key."""

    def __init__(
        self,
        issuers: Callable[[], Mapping[str, Issuer]],
        nonces: Nonces,
        now_ms: Callable[[], int],
        certificates: Callable[[], bool] = lambda: False,
    ) -> None:
        """``certificates``: whether clients may show one, so that a token can be bound to it."""
        self._issuers = issuers
        self._nonces = nonces
        self._now_ms = now_ms
        self._certificates = certificates

    async def answer(self, exchange: Exchange) -> None:
        """Raises ``WireRefusal``."""
        if exchange.method != "GET":
            raise WireRefusal("wire.bad-http-method")
        found = self.document(exchange.path, exchange.base)
        if found is None:
            raise WireRefusal("wire.bad-path")
        await exchange.answer(200, found, JSON)

    def document(self, path: str, base: str) -> bytes | None:
        """Of the resource whose path is inserted after the well-known part; at the root, of the
        whole gateway. Says nothing about which upstreams there are."""
        inserted = path.removeprefix(WELL_KNOWN).rstrip("/") or _ENDPOINT
        ours = inserted == _ENDPOINT or inserted.startswith(f"{_ENDPOINT}/")
        issuers = self._issuers()
        if not ours or not issuers:
            return None
        return orjson.dumps(
            {
                "resource": f"{base}{inserted}",
                "authorization_servers": list(issuers),
                "bearer_methods_supported": ["header"],
                "scopes_supported": _scopes(issuers.values()),
                "dpop_signing_alg_values_supported": list(SIGNATURES),
                "tls_client_certificate_bound_access_tokens": self._certificates(),
                "resource_name": "Lockgate",
            }
        )

    def challenge(self, reason: str, base: str, path: str) -> HeaderList:
        """What goes with a 401 or 403. ``path``: of the endpoint that was asked."""
        if reason == "auth.throttled":
            return ((b"retry-after", b"60"),)
        error = _ERRORS.get(reason)
        if error is None:
            return ()
        issuers = self._issuers()
        if not issuers:
            said = f', error="{error}"' if error else ""
            return ((b"www-authenticate", f'Bearer realm="lockgate"{said}'.encode()),)
        if reason in ("auth.proof", "auth.nonce"):
            nonce = self._nonces.make(self._now_ms())
            proof = f'{_DPOP}, error="{error}"'
            return ((b"www-authenticate", proof.encode()), (b"dpop-nonce", nonce.encode()))
        place = path if path.startswith(_ENDPOINT) and path.isascii() else _ENDPOINT
        parts = [
            'Bearer realm="lockgate"',
            f'resource_metadata="{base}{WELL_KNOWN}{_plain(place)}"',
        ]
        parts += [f'scope="{" ".join(scopes)}"'] if (scopes := _scopes(issuers.values())) else []
        parts += [f'error="{error}"'] if error else []
        bearer = ", ".join(parts)
        return ((b"www-authenticate", bearer.encode()), (b"www-authenticate", _DPOP.encode()))


def _scopes(issuers: Iterable[Issuer]) -> list[str]:
    """All that a call needs. Never ``offline_access``: that is between client and issuer."""
    return sorted({scope for issuer in issuers for scope in issuer.scopes} - {"offline_access"})


def _plain(path: str) -> str:
    """Nothing that could end the quoted string (RFC 9110, 5.6.4)."""
    return "".join(c for c in path if c.isalnum() or c in "/-._~")
