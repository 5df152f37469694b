"""Who may say which certificate, and which address, a client showed to it: proxies that prove by a
certificate of their own, in the handshake with us, who they are. Nothing else makes a proxy: no
address, no secret in a header, no Unix socket.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from lockgate.identity.certificate import (
    CertificateInvalid,
    Named,
    read_certificate,
)
from lockgate.identity.forwarded import HEADERS, Form, ForwardedInvalid, read_forwarded
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.trust import Trust
from lockgate.wire.headers import Headers

_ADDRESS = "x-forwarded-for"
_FORBIDDEN = frozenset(name for names in HEADERS.values() for name in names) | {
    "x-ssl-client-cert", "x-client-cert", "x-arr-clientcert",
}  # fmt: skip
"""Headers that say which certificate a client has, here or behind other products."""


class Proxy(msgspec.Struct, frozen=True):
    """``form``: how it passes on certificates."""

    name: str
    named: Named
    form: Form


class Sender(msgspec.Struct, frozen=True):
    """Who sent a request: the client, wherever its connection ends."""

    certificate: bytes
    """DER; empty where the client showed none."""
    peer: str


class Proxies:
    """``trust``: None where no client certificate is ever accepted."""

    def __init__(self, trust: Trust | None = None, known: Iterable[Proxy] = ()) -> None:
        self._trust = trust
        self._known = {one.named: one for one in known}

    def sender(
        self, certificate: bytes, peer: str, headers: Headers, now_ms: int
    ) -> Sender | AuthRefusal:
        """``certificate``, ``peer``: of the other side of the connection."""
        trust, proxy, sent = self._trust, self._proxy(certificate), headers.among(_FORBIDDEN)
        if trust is None or proxy is None:
            if sent:
                return AuthRefusal("auth.forwarded", f"{min(sent)} from no proxy")
            return Sender(certificate, peer)
        own = trust.check(certificate, now_ms)
        if isinstance(own, AuthRefusal):
            return own
        if not sent <= set(HEADERS[proxy.form]):
            return AuthRefusal("auth.forwarded", f"{proxy.name} lets such a header through")
        return _behind(proxy, trust, peer, headers, now_ms)

    def _proxy(self, certificate: bytes) -> Proxy | None:
        if not certificate or not self._known:
            return None
        try:
            names = read_certificate(certificate).names
        except CertificateInvalid:
            return None
        found = (self._known[name] for name in names if name in self._known)
        return next(found, None)


def _behind(
    proxy: Proxy, trust: Trust, peer: str, headers: Headers, now_ms: int
) -> Sender | AuthRefusal:
    try:
        said = read_forwarded(proxy.form, headers.all)
        address = _last_hop(headers.all(_ADDRESS), peer)
    except ForwardedInvalid as invalid:
        return AuthRefusal("auth.forwarded", f"{proxy.name}: {invalid}")
    if said.certificate:
        found = trust.check_chain(said.certificate, said.chain, now_ms)
        if isinstance(found, AuthRefusal):
            return found
    return Sender(said.certificate, address)


def _last_hop(values: list[str], peer: str) -> str:
    """What the proxy itself has added to ``X-Forwarded-For``; before that stands what it was told.

    Raises ``ForwardedInvalid`` where that is no address.
    """
    if not values:
        return peer
    return _address(values[-1].rpartition(",")[2].strip(" \t"))


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ForwardedInvalid(f"{_ADDRESS}: its last part is no address") from error
