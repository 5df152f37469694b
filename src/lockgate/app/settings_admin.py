"""What ``lockgate.yaml`` may say of those who change the gateway, and of their browsers."""

import msgspec
from pydantic import Field, model_validator

from lockgate.app.settings_kinds import (
    Closed,
    Identity,
    Name,
    Origin,
    Text,
    is_loopback,
    refuse,
    split_url,
)
from lockgate.control_plane.services.privileges import HOUR_MS, Rules
from lockgate.model.privilege import AdminRole
from lockgate.model.reference import ReferenceBroken, parse_reference


class Admin(Closed):
    """Roles of those who change the gateway."""

    enforced: bool = False
    """Commands that change things take the fitting role, held now. Off until there is somebody who
    may give roles: switched on before, it would lock everybody out but the recovery admin."""
    granters: tuple[Identity, ...] = ()
    """Who may give roles to others: os:ACCOUNT, or oidc:SUBJECT of the console's issuer."""
    two_people: frozenset[AdminRole] = frozenset()
    """Roles that take two people's yes, besides privacy_officer and responder."""
    longest_hours: float = Field(default=8, gt=0, le=24)
    """How long a role may last."""
    accounts: dict[Name, Text] = {}
    """Operating system accounts, and the subject of each at the console's issuer: one person."""


class Console(Closed):
    """Pages for administrators, behind a sign-in at the company's identity provider."""

    issuer: Text | None = None
    """Its issuer, exactly as it calls itself. None: there is no console."""
    client_id: Name = "lockgate"
    """What this gateway is called there."""
    client_secret: Text | None = None
    """By reference. None: a public client, which has only PKCE."""
    origin: Origin | None = None
    """Where browsers reach the console, https:// unless it is this machine. The redirect address is
    ORIGIN/console/callback, for the end of sessions ORIGIN/console/backchannel-logout."""
    provider_origins: tuple[Origin, ...] = ()
    """Further origins of the provider's token endpoint and keys, besides the issuer's own."""

    @model_validator(mode="after")
    def _whole(self) -> "Console":
        if self.issuer is None:
            return self
        if self.origin is None:
            raise refuse("console.origin beside console.issuer", "Write where browsers reach it, "
                         "for instance https://gate.example.org.", ("origin",))  # fmt: skip
        for name, url in (("issuer", self.issuer), ("origin", self.origin)):
            if not _is_private(url):
                raise refuse("an https:// address", "Only on this machine it may be http://.",
                             (name,))  # fmt: skip
        if self.client_secret and not _is_reference(self.client_secret):
            raise refuse("a reference instead of a secret", "Write client_secret: file:/path or "
                         "env:NAME.", ("client_secret",))  # fmt: skip
        return self


def _is_private(url: str) -> bool:
    """TLS, or it never leaves this machine."""
    parts = split_url(url)
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    inside = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return bool(bare and parts.hostname and (inside or parts.scheme == "https"))


def _is_reference(text: str) -> bool:
    try:
        return parse_reference(text) is not None
    except ReferenceBroken:
        return False


def rules_of(admin: Admin) -> Rules:
    """An account in ``granters`` that is also somebody's at the identity provider counts as that
    person."""
    longest = int(admin.longest_hours * HOUR_MS)
    rules = Rules(admin.enforced, frozenset(), admin.two_people, longest, admin.accounts)
    named = (who.partition(":") for who in admin.granters)
    found = (
        rules.identity_of(name) if kind == "os" else f"{kind}:{name}" for kind, _, name in named
    )
    return msgspec.structs.replace(rules, granters=frozenset(found))
