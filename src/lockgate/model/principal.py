"""Who is calling."""

from typing import Literal

import msgspec

PrincipalKind = Literal["person", "service", "system"]


class Principal(msgspec.Struct, frozen=True):
    """A person or service, the agent acting for them, and how they proved it.

    Built only from verified claims. State (sessions, cursors, caches) is keyed by ``id``, never by
    the bytes of a credential, so that it survives a token refresh. One deployment serves one
    organisation, so there is no tenant.
    """

    kind: PrincipalKind
    subject: str
    """The person or service policy speaks about, as the credential's issuer names them."""
    roles: frozenset[str] = frozenset()
    agent: str = ""
    """The client or agent acting for the subject, as registered with the credential."""
    owner: str = ""
    """The person answerable for a service; for a person, the subject again."""
    authn: frozenset[str] = frozenset()
    """What was proved: ``api_key``, later ``oauth``, ``dpop``, ``mtls``, ``mfa``."""
    credential: str = ""
    """Public id of the credential used; never the secret."""
    workload: str = ""
    """The program that sent it, where it proved which it is: a SPIFFE ID, or the name its
    certificate is registered under."""
    actors: tuple[str, ...] = ()
    """Who acts for the subject, the nearest first (RFC 8693, 4.1: ``act``)."""
    scopes: frozenset[str] = frozenset()
    """What the credential was issued for (RFC 6749, 3.3)."""
    acr: str = ""
    """How strongly the person was authenticated, as the issuer says (OpenID Connect Core, 2)."""
    auth_time: int = 0
    """When the person last authenticated: seconds since the Unix epoch; 0 where nobody said."""
    login: str = ""
    """Id of the person's session at the issuer (``sid``): its logout ends what goes on here."""
    on_behalf: str = ""
    """For Lockgate's own traffic: the id of the principal whose connections it may use."""

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.subject}"

    @property
    def holder(self) -> str:
        """Id that sessions, connections and caches are kept under."""
        return self.on_behalf or self.id


SYSTEM = Principal(kind="system", subject="lockgate", authn=frozenset({"internal"}))
"""Lockgate's own traffic: list refresh and probes. It takes the same path as everyone's."""
