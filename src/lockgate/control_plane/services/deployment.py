"""What the control plane needs to know of a deployment, as plain values.

``app`` makes these from its settings: the control plane may not import it.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True):
    """Where a command runs and for whom."""

    home: Path
    folder: Path
    """Current directory."""
    environ: Mapping[str, str]
    platform: str
    """As ``sys.platform``."""
    user: str
    """Operating system account: the actor of what is changed."""
    login: str = ""
    """Account of the person, for the rules about admin roles: the one they logged in with where the
    kernel knows it (it stays through ``su`` and ``sudo``), else the one this runs as. Nothing of it
    is taken from the environment. Empty: as ``user``."""

    @property
    def person(self) -> str:
        return self.login or self.user


class UpstreamPlan(msgspec.Struct, frozen=True):
    """An upstream as configured; references are not resolved."""

    name: str
    argv: tuple[str, ...] = ()
    """Empty for an HTTP upstream."""
    url: str = ""
    env: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    cwd: str = ""


class TlsFiles(msgspec.Struct, frozen=True):
    """Of a gate that speaks TLS itself."""

    certificate: Path
    key: Path
    revoked: Path | None = None
    """Revocation lists of its clients."""


class Deployment(msgspec.Struct, frozen=True):
    config: Path
    data_dir: Path
    host: str
    port: int
    url: str
    """The endpoint over all upstreams, as a client reaches it."""
    upstreams: tuple[UpstreamPlan, ...] = ()
    policies: tuple[Path, ...] = ()
    tls: TlsFiles | None = None
    """None: it speaks plain HTTP."""

    @property
    def secrets_dir(self) -> Path:
        """Where imported secrets are put, one file each."""
        return self.data_dir / "secrets"
