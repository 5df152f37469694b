"""What ``lockgate.yaml`` may say of the people who use the gate."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from lockgate.app.settings_kinds import (
    Closed,
    Name,
    Seconds,
    Text,
    UpstreamName,
    is_loopback,
    listed,
    refuse,
    split_url,
)
from lockgate.model.reference import ReferenceBroken, parse_reference

_ROLES = {"type": "array", "items": {"type": "string"}}


def _by_reference(value: str) -> str:
    try:
        if parse_reference(value) is not None:
            return value
    except ReferenceBroken as error:
        raise refuse("a reference env:NAME or file:/path", f"{error}.") from error
    raise refuse("a reference instead of a secret",
                 "Put the secret into a file only the gateway may read and write file:/path, or "
                 "set a variable and write env:NAME.")  # fmt: skip


Secret = Annotated[Text, AfterValidator(_by_reference)]
"""Where a secret is; never the secret."""


class LdapSettings(Closed):
    """A directory that is asked again and again who works here (RFC 4511)."""

    url: Text
    """ldaps://host, or ldap://host with start_tls. Without TLS only on this machine."""
    start_tls: bool = False
    """Begin TLS on the plain port, before anything else is said."""
    ca_file: Text | None = None
    """Certificates that the directory's must lead to. Default: the system's."""
    bind_dn: Annotated[str, Field(max_length=1024)] = ""
    """Who reads it. Empty: anonymous."""
    password: Secret | None = None
    """Secret of bind_dn, by reference."""
    base: Text
    """Below which entry people are."""
    filter: Text = "(objectClass=person)"
    """Which entries are people (RFC 4515)."""
    inactive: Text | None = None
    """Which of them are blocked, for instance (nsAccountLock=TRUE)."""
    user_name: Name = "uid"
    """Attribute with the name that credentials give the person."""
    external_id: Name = "entryUUID"
    """Attribute with a name that never changes."""
    member_of: Name = "memberOf"
    """Attribute with the groups, by their whole names (DN)."""
    employee: Name = "employeeNumber"
    """Attribute with the employee number: two accounts with the same one are one person's."""
    poll_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60
    """From one reading to the next: how long a leaver may go unnoticed."""
    max_age_seconds: Seconds = 900
    """Without an answer for so long, nobody is let in."""

    @model_validator(mode="after")
    def _sound(self) -> "LdapSettings":
        parts = split_url(self.url)
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/"):
            raise refuse("ldaps://host or ldap://host", "Leave path and query out; base says where "
                         "people are.", ("url",))  # fmt: skip
        safe = parts.scheme == "ldaps" or self.start_tls or is_loopback(parts.hostname)
        if not safe:
            raise refuse("TLS", "Write ldaps://, or set start_tls: true. In the clear anyone on "
                         "the way could say who works here.", ("url",))  # fmt: skip
        if bool(self.bind_dn) != (self.password is not None):
            raise refuse("bind_dn and password together", "Give both, or neither to read "
                         "anonymously.", ("bind_dn",))  # fmt: skip
        if self.max_age_seconds < self.poll_seconds:
            raise refuse("max_age_seconds to be no less than poll_seconds",
                         "Raise it, or nobody is let in between two readings.",
                         ("max_age_seconds",))  # fmt: skip
        return self


class PeopleSettings(Closed):
    """Who works here, and what follows from it. See docs/leavers.md."""

    required: bool | None = None
    """Let in nobody whom no source knows. Default: true once SCIM or LDAP is configured."""
    roles: dict[
        Name, Annotated[tuple[Name, ...], BeforeValidator(listed), WithJsonSchema(_ROLES)]
    ] = {}
    """Roles for the members of a group, by its name (SCIM: displayName; LDAP: DN)."""
    scim_secrets: Annotated[
        tuple[Secret, ...], BeforeValidator(listed), WithJsonSchema(
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    ] = ()  # fmt: skip
    """Secrets, by reference, with which an identity provider may write to /scim/v2. Empty: off.
    Two while one replaces the other."""
    ldap: dict[UpstreamName, LdapSettings] = {}
    """Directories that are read, by name."""
