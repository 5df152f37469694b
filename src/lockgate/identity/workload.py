"""Which certificate is which workload, and what it proves: alone, or beside a key or a token."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from lockgate.identity.certificate import Certificate, Named
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.trust import Trust
from lockgate.model import Principal

WorkloadKind = Literal["service", "agent"]


class Workload(msgspec.Struct, frozen=True):
    """A program that is registered under its certificate."""

    name: str
    named: Named
    kind: WorkloadKind = "agent"
    """service: its certificate alone lets it in, as itself. agent: it acts for a person, whose key
    or token must come with it."""
    owner: str = ""
    """The person answerable for a service."""
    roles: frozenset[str] = frozenset()
    """A service's."""

    @property
    def id(self) -> str:
        """As policy sees it: ``principal.workload``."""
        return self.named.value if self.named.kind == "spiffe" else self.name


class Shown(msgspec.Struct, frozen=True):
    """A workload, and the certificate that proves it."""

    workload: Workload
    certificate: Certificate


class Workloads:
    """``trust``: None where no client certificate is ever accepted."""

    def __init__(self, trust: Trust | None = None, known: Iterable[Workload] = ()) -> None:
        self._trust = trust
        self._known = {one.named: one for one in known}

    @property
    def accepted(self) -> bool:
        """Whether any client certificate ever is."""
        return self._trust is not None

    def later(self, id: str) -> Workload | None:
        """The workload of this id, if it is still registered. Its certificate is not looked at."""
        if self._trust is None:
            return None
        return next((one for one in self._known.values() if one.id == id), None)

    def shown(self, der: bytes, now_ms: int) -> Shown | AuthRefusal | None:
        """``der``: of the client certificate; empty where none was shown, which is None here. One
        that was shown and is nobody's is refused: whoever sent it believes to have proved
        something."""
        if not der:
            return None
        if self._trust is None:
            return AuthRefusal("auth.certificate", "no client certificate is accepted here")
        found = self._trust.check(der, now_ms)
        if isinstance(found, AuthRefusal):
            return found
        fitting = {self._known[name] for name in found.names if name in self._known}
        if len(fitting) != 1:
            which = "several workloads" if fitting else "no workload"
            return AuthRefusal("auth.certificate", f"{found.thumbprint} is that of {which}")
        return Shown(fitting.pop(), found)


def joined(known: Principal | AuthRefusal, shown: Shown | None) -> Principal | AuthRefusal:
    """``known``: what everything else that was sent proves."""
    if shown is None:
        return known
    if isinstance(known, Principal):
        return _beside(known, shown)
    if known.reason == "auth.missing" and shown.workload.kind == "service":
        return _alone(shown)
    return known


def _alone(shown: Shown) -> Principal:
    workload = shown.workload
    return Principal(
        kind="service",
        subject=workload.name,
        roles=workload.roles,
        owner=workload.owner,
        authn=frozenset({"mtls"}),
        credential=shown.certificate.thumbprint,
        workload=workload.id,
    )


def _beside(known: Principal, shown: Shown) -> Principal | AuthRefusal:
    """A key or token proved ``known``, and the certificate that this workload sent it."""
    workload = shown.workload
    if known.kind == workload.kind == "service" and known.subject != workload.name:
        return AuthRefusal(
            "auth.certificate", f"{workload.name}'s, with the key of another service"
        )
    agent = known.agent or (workload.name if workload.kind == "agent" else "")
    authn = known.authn | {"mtls"}
    return msgspec.structs.replace(known, workload=workload.id, agent=agent, authn=authn)
