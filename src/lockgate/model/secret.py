"""Secrets as their backends give them, and what is known of each besides its value."""

from typing import Protocol

import msgspec

from lockgate.model.reference import Reference, ReferenceBroken


class SecretUnavailable(ReferenceBroken):
    """Its backend cannot be asked now, so that nothing is known: not even that it is gone."""


class Secret(msgspec.Struct, frozen=True):
    """The value stays out of ``repr``, and so out of tracebacks that show variables."""

    value: str
    version: str = ""
    """As the backend names it; empty where it keeps no versions."""
    made: int = 0
    """When this version was made, in ms since the epoch; 0 where the backend cannot tell."""

    def __repr__(self) -> str:
        return f"Secret(version={self.version!r}, made={self.made})"


class SecretBackend(Protocol):
    """One kind of place where secrets are kept. Blocks, and may be used by any thread; answers or
    fails within seconds. No text it raises holds a value, nor what it was asked with."""

    def read(self, reference: Reference) -> Secret:
        """Never an empty value. Raises ``SecretUnavailable``, or ``ReferenceBroken`` where it is
        known that there is no such secret."""
        ...

    def write(self, reference: Reference, value: str) -> None:
        """A new version of a secret that exists. Its neighbours in the same entry stay.

        Raises ``ReferenceBroken`` where it cannot be written, and ``SecretUnavailable``.
        """
        ...


class SecretSeen(msgspec.Struct, frozen=True):
    """What was noticed of one secret. Times are ms since the epoch, 0 where unknown."""

    reference: str
    version: str
    """The backend's, or where it has none a keyed fingerprint of the value, after ``~``."""
    made: int
    first_seen: int
    """When this version was noticed."""
    probed: int = 0
    probe: str = ""
    """Result of the last probe."""


class SecretUse(msgspec.Struct, frozen=True):
    """A place in the configuration that names a secret."""

    setting: str
    """Dotted: ``upstreams.github.headers.Authorization``."""
    upstream: str = ""
    """Whose it is, where it is an upstream's."""
