"""The gate's own TLS and what it believes of client certificates, built from settings and files."""

import ssl
from pathlib import Path

import msgspec

from lockgate.app.edge import Edge
from lockgate.app.settings import Settings
from lockgate.app.settings_tls import TlsSettings
from lockgate.identity.proxies import Proxies, Proxy
from lockgate.identity.revocation import Revocations
from lockgate.identity.trust import Trust
from lockgate.identity.workload import Workload, Workloads
from lockgate.model.reference import ReferenceBroken


class Front(msgspec.Struct, frozen=True):
    """Replaced whole on reload: connections that stand stay as they are."""

    tls: ssl.SSLContext | None
    """None: plain HTTP."""
    proxies: Proxies
    workloads: Workloads


def front_of(settings: Settings) -> Front:
    """Raises ``ReferenceBroken`` for a file that cannot be used."""
    tls = settings.listen.tls
    if tls is None:
        return Front(None, Proxies(), Workloads())
    trust = _trust(tls)
    proxies = [Proxy(n, one.named, one.form) for n, one in settings.listen.proxies.items()]
    workloads = [
        Workload(name, one.named, one.kind, one.owner or "", one.roles)
        for name, one in settings.workloads.items()
    ]
    return Front(_context(tls), Proxies(trust, proxies), Workloads(trust, workloads))


def scheme_of(settings: Settings) -> str:
    return "http" if settings.listen.tls is None else "https"


def outer_scheme(settings: Settings) -> str:
    """As clients see it, whoever ends their TLS."""
    return "https" if settings.listen.behind_tls_proxy else scheme_of(settings)


def edge_of(settings: Settings, bound: str, front: Front) -> Edge:
    """Loopback names are always this gateway's, with its port; others by ``listen.hosts``."""
    port, scheme = bound.rsplit(":", 1)[1], scheme_of(settings)
    names = {bound, *(f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]"))}
    named = {n for host in settings.listen.hosts for n in (host, f"{host}:{port}")}
    return Edge(
        hosts=frozenset(n.lower() for n in names | named),
        origins=frozenset(settings.listen.origins) | {f"{scheme}://{n.lower()}" for n in names},
        message_bytes=settings.limits.message_bytes,
        body_seconds=settings.limits.body_seconds,
        scheme=outer_scheme(settings),
        console=settings.console.origin or "",
        public_url=settings.listen.public_url.lower(),
        grace_ms=int(settings.limits.call_seconds * 1_000),
        proxies=front.proxies,
        tls=front.tls,
    )


def _context(tls: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a passphrase would be asked for on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise _broken("certificate and listen.tls.key", error) from error
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except OSError as error:
            raise _broken("client_ca", error) from error
        required = tls.client_certificate == "required"
        # Whoever is named is believed, also where it is not at the top of its chain.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _trust(tls: TlsSettings) -> Trust | None:
    if tls.client_ca is None:
        return None
    revocations = Revocations(Path(tls.client_crl)) if tls.client_crl is not None else None
    try:
        return Trust(Path(tls.client_ca).read_bytes(), revocations)
    except (OSError, ValueError) as error:
        raise _broken("client_ca", error) from error


def _broken(which: str, error: Exception) -> ReferenceBroken:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "cannot be read"
    return ReferenceBroken(f"listen.tls.{which} cannot be used: {why}")
