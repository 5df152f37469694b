"""What ``listen.tls``, ``listen.proxies`` and ``workloads`` may say: certificates, and who shows
which."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from lockgate.app.settings_kinds import Closed, HostName, Name, Text, refuse
from lockgate.identity.certificate import Named, spiffe_problem
from lockgate.identity.forwarded import Form
from lockgate.identity.workload import WorkloadKind


def _spiffe(value: str) -> str:
    problem = spiffe_problem(value)
    if problem:
        raise refuse("a SPIFFE ID of a workload", f"Write spiffe://trust-domain/path ({problem}).")
    return value


SpiffeId = Annotated[Text, AfterValidator(_spiffe)]


class TlsSettings(Closed):
    """Certificates of the gate and of its clients: files in PEM. SIGHUP reads them anew."""

    certificate: Text
    """The gate's certificate, followed by its intermediates."""
    key: Text
    """Its private key. Only the gateway's user may read it."""
    client_ca: Text | None = None
    """Who may issue client certificates, with intermediates. None: no client is asked for one."""
    client_crl: Text | None = None
    """Revocation lists of those. Read again when it changes; past its time, nobody comes in."""
    client_certificate: Literal["optional", "required"] = "optional"
    """required: whoever shows none gets no connection, not even for health."""

    @model_validator(mode="after")
    def _whole(self) -> "TlsSettings":
        if self.client_ca is None and (self.client_crl or self.client_certificate == "required"):
            raise refuse("client_ca too", "Name the authorities that issue client certificates "
                         "under listen.tls.client_ca.")  # fmt: skip
        return self

    @property
    def files(self) -> dict[str, str]:
        """Path by setting."""
        named = {"certificate": self.certificate, "key": self.key,
                 "client_ca": self.client_ca, "client_crl": self.client_crl}  # fmt: skip
        return {name: file for name, file in named.items() if file is not None}


class _Known(Closed):
    spiffe: SpiffeId | None = None
    """The SPIFFE ID in its certificate. A certificate that has one is known by nothing else."""
    dns: HostName | None = None
    """Or a DNS name in its certificate."""
    subject: Text | None = None
    """Or the whole subject of its certificate, as RFC 4514 writes it: CN=edge,O=Clinic."""

    @model_validator(mode="after")
    def _one(self) -> "_Known":
        if sum(value is not None for value in (self.spiffe, self.dns, self.subject)) != 1:
            raise refuse("one of spiffe, dns or subject", "Say what its certificate is known by.")
        return self

    @property
    def named(self) -> Named:
        if self.spiffe is not None:
            return Named("spiffe", self.spiffe)
        return (
            Named("dns", self.dns) if self.dns is not None else Named("subject", self.subject or "")
        )


class ProxySettings(_Known):
    """A proxy in front of the gate, known by the client certificate that it shows to the gate."""

    form: Form
    """How it passes on a client's certificate. xfcc: Envoy's x-forwarded-client-cert; client-cert:
    RFC 9440; nginx: $ssl_client_escaped_cert in a header Ssl-Client-Cert."""


class WorkloadSettings(_Known):
    """A program that shows a client certificate."""

    kind: WorkloadKind = "agent"
    """service: its certificate alone lets it in. agent: a person's key or token must come too."""
    owner: Name | None = None
    """The person answerable for a service."""
    roles: frozenset[Name] = frozenset()
    """Roles of a service, as policy names them."""

    @model_validator(mode="after")
    def _whole(self) -> "WorkloadSettings":
        if self.kind == "service" and self.owner is None:
            raise refuse("owner, for a service", "Name the person answerable for it.")
        if self.kind == "agent" and self.roles:
            raise refuse("no roles, for an agent", "It has those of the person it acts for.")
        return self


def check_certificates_asked(tls: TlsSettings | None, what: str) -> None:
    """Raises the mistake that ``what`` can never work."""
    if tls is None or tls.client_ca is None:
        raise refuse("listen.tls.client_ca too", "They are known by their client certificates: "
                     "name who issues those under listen.tls.client_ca.", (what,))  # fmt: skip


def check_known_once(entries: Mapping[str, _Known], what: str) -> None:
    """Raises the mistake that two are known by the same name."""
    seen: dict[Named, str] = {}
    for name, one in entries.items():
        before = seen.setdefault(one.named, name)
        if before != name:
            raise refuse("each certificate once", f"{before} is known by the same name.",
                         (what, name))  # fmt: skip
