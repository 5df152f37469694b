"""What ``issuers`` may say: whose access tokens are accepted, and what they must say."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lockgate.app.settings_kinds import (
    Closed,
    Name,
    Origin,
    Text,
    Value,
    is_loopback,
    refuse,
    split_url,
)
from lockgate.identity.issuer import ProfileName
from lockgate.identity.profiles import PROFILES
from lockgate.model.reference import ReferenceBroken, parse_reference

Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}$")]
"""RFC 6749, appendix A.4."""


def _secure_url(value: str) -> str:
    parts = split_url(value)
    whole = parts.hostname and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("https", "http") or not whole:
        raise refuse("an https:// URL without user, query or fragment", "Correct the URL.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise refuse("https:// for another machine", "Whoever is on the way could stand in for it.")
    return value


SecureUrl = Annotated[Text, AfterValidator(_secure_url)]


class ClientSettings(Closed):
    """An OAuth client that the issuer knows."""

    agent: Name | None = None
    """What policy and journal call it. Default: its client id."""
    owner: Name | None = None
    """Who answers for what it does in its own name."""
    workload: Name | None = None
    """The only workload whose certificate may come with its tokens."""


class IntrospectionSettings(Closed):
    """Where opaque tokens are asked about (RFC 7662)."""

    url: SecureUrl
    """The introspection endpoint; for Google, its tokeninfo endpoint."""
    client: Name | None = None
    """Client id of this gateway there."""
    secret: Value | None = None
    """Its secret, by reference: env:NAME or file:/path."""

    @model_validator(mode="after")
    def _by_reference(self) -> "IntrospectionSettings":
        try:
            plain = self.secret is not None and parse_reference(self.secret) is None
        except ReferenceBroken as error:
            raise refuse("a reference env:NAME or file:/path", f"{error}.", ("secret",)) from error
        if plain:
            raise refuse("a reference instead of a secret", "Put the secret into a file only the "
                         "gateway may read and write secret: file:/path.", ("secret",))  # fmt: skip
        return self


class IssuerSettings(Closed):
    """One identity provider. Its metadata says where its keys are, if nothing here does."""

    url: SecureUrl
    """Exactly as its tokens say it in iss."""
    profile: ProfileName = "generic"
    """Which kind of provider it is. generic: RFC 9068 to the letter."""
    audiences: frozenset[Name] = frozenset()
    """Values of aud accepted besides the gate's own URLs: an application's GUID at Entra ID."""
    keys_url: SecureUrl | None = None
    """Its JSON Web Key Set."""
    keys_file: Text | None = None
    """A file with it, where nothing may be fetched (air gap)."""
    introspection: IntrospectionSettings | None = None
    """Ask it about tokens that are no JWT. At most one issuer."""
    namespace: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Put before each subject. Default: the issuer's name and a slash, so that no two issuers can
    name the same person. Empty: this issuer's subjects are the people that keys belong to."""
    clients: dict[Name, ClientSettings] = {}
    """OAuth clients, by client id."""
    only_known_clients: bool = False
    """Refuse tokens of clients that are not listed."""
    internal: bool = False
    """Its addresses may be of a private network."""
    origins: frozenset[Origin] = frozenset()
    """Where else its metadata may send us for its keys."""
    scopes: frozenset[Scope] = frozenset()
    """What every token must have been issued for."""
    implied_scopes: dict[Scope, frozenset[Scope]] = {}
    """Scopes that hold others."""
    roles: dict[Name, Name] = {}
    """What policy calls a role or group of the issuer. Others keep their name."""
    mfa: frozenset[Name] = frozenset()
    """Values of acr that mean more than one factor."""
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    """How far its clock may be from ours."""

    @model_validator(mode="after")
    def _whole(self) -> "IssuerSettings":
        if self.keys_url and self.keys_file:
            raise refuse("keys_url or keys_file", "Remove one.", ("keys_file",))
        opaque = PROFILES[self.profile].opaque
        if opaque and (self.introspection is None or not self.audiences):
            raise refuse(f"introspection and audiences for {self.profile}", "Its access tokens say "
                         "nothing by themselves: set both.", ("introspection",))  # fmt: skip
        return self


def namespace_of(name: str, one: IssuerSettings) -> str:
    """What is put before each subject of this issuer."""
    return f"{name}/" if one.namespace is None else one.namespace


def check_issuers(
    issuers: Mapping[str, IssuerSettings], *, public_url: str, exposed: bool, directory: bool
) -> None:
    """``exposed``: others than this machine reach the gate. ``directory``: people come from one."""
    asked = [name for name, one in issuers.items() if one.introspection is not None]
    if len(asked) > 1:
        raise refuse("one issuer that is asked about opaque tokens",
                     "A token would be shown to a stranger: keep introspection at one of "
                     f"{', '.join(asked)}.", ("issuers", asked[1]))  # fmt: skip
    urls = [one.url for one in issuers.values()]
    if len(urls) > len(set(urls)):
        raise refuse("each issuer once", "Remove one of those with the same url.", ("issuers",))
    if issuers and exposed and not public_url:
        raise refuse("listen.public_url beside issuers", "Say where clients reach the gate: else a "
                     "client could choose which resource a token is for.", ("listen",))  # fmt: skip
    silent = [name for name, one in issuers.items() if one.namespace is None]
    if directory and silent:
        raise refuse("a namespace for each issuer beside a directory of people",
                     'Write namespace: "" where its subjects are the directory\'s names, so that '
                     "leavers are known; any other where they are not.",
                     ("issuers", silent[0]))  # fmt: skip
