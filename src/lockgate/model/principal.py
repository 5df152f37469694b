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
