"""What ``lockgate.yaml`` may say of where approvers are told that a question waits."""

from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lockgate.app.settings_credential import Secret
from lockgate.app.settings_kinds import (
    Closed,
    HostName,
    Text,
    is_loopback,
    listed,
    refuse,
)
from lockgate.approval.channels import AnyChannel, Email, MailTls, Slack, Webhook
from lockgate.model.reference import ReferenceBroken, looks_secret, parse_reference

_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$"
"""RFC 5321, section 4.1.2, without quoted local parts."""
MailAddress = Annotated[str, StringConstraints(pattern=_ADDRESS)]
_FACTOR = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_MANY = {"type": "array", "items": {"type": "string"}}
_ONE_OR_MANY = WithJsonSchema({"anyOf": [{"type": "string"}, _MANY]})
Kind = Literal["webhook", "slack", "email"]
GAP_SECONDS: dict[Kind, float] = {"webhook": 0.0, "slack": 15.0, "email": 60.0}
PORTS: dict[MailTls, int] = {"starttls": 587, "tls": 465, "none": 25}

_EVERY = frozenset({"kind", "factors", "names", "every_seconds"})
_OWN: dict[Kind, frozenset[str]] = {
    "webhook": frozenset({"url", "internal", "secret", "old_secret", "ca_file"}),
    "slack": frozenset({"url", "internal"}),
    "email": frozenset({"host", "port", "tls", "ca_file", "user", "password", "sender", "to"}),
}
_NEEDED: dict[Kind, tuple[str, ...]] = {
    "webhook": ("url", "secret"), "slack": ("url",), "email": ("host", "sender", "to"),
}  # fmt: skip

Resolve = Callable[[str], str]
"""A secret by its reference. Raises ``ReferenceBroken``."""


def is_private(url: str) -> bool:
    """https:// with a host, or http:// on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(secure and host and not parts.fragment and "@" not in parts.netloc)


def _is_reference(value: str) -> bool:
    try:
        return parse_reference(value) is not None
    except ReferenceBroken as error:
        raise refuse("a reference to a secret", f"{error}.") from error


def _url(value: str) -> str:
    if _is_reference(value):
        return value
    if looks_secret("url", value):
        raise refuse("a URL without a secret in it", "Put the whole URL into a file and write "
                     "url: file:/path, or url: env:NAME.")  # fmt: skip
    if not is_private(value):
        raise refuse("an https:// URL", "Write the address that takes messages; http:// only on "
                     "this machine.")  # fmt: skip
    return value


class ChannelSettings(Closed):
    """One place where approvers are told; nothing is ever answered there."""

    kind: Kind
    """webhook: another program, JSON by POST, signed (Standard Webhooks). slack: an incoming
    webhook of Slack, or of what understands the same. email: a mail."""
    factors: Annotated[tuple[_FACTOR, ...], BeforeValidator(listed), _ONE_OR_MANY] = ()
    """Only questions that take a yes for one of these factors. Empty: all."""
    names: bool = False
    """Whether messages say who asks. Arguments are never in one."""
    every_seconds: Annotated[float, Field(ge=0, le=3_600)] | None = None
    """Shortest time between two messages; what comes meanwhile is one message. None: 0 for a
    webhook, 15 for slack, 60 for email."""
    url: Annotated[Text, AfterValidator(_url)] | None = None
    """Of webhook and slack: https:// address, http:// only on this machine. Of slack by reference,
    since whoever knows it can post."""
    internal: bool = False
    """Of webhook and slack: it may be at an address of a private network."""
    secret: Secret = ""
    """Of webhook, by reference: whsec_ and the base64 of at least 24 random bytes."""
    old_secret: Secret = ""
    """Of webhook, by reference: the secret before, until the receiver knows the new one."""
    ca_file: Text | None = None
    """Of webhook and email: certificates (PEM) to believe besides the system's."""
    host: HostName | None = None
    """Of email: the mail server that takes it."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Of email. None: 587 with starttls, 465 with tls, 25 without."""
    tls: MailTls = "starttls"
    """Of email: starttls, tls, or none, which is only for this machine."""
    user: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\r\n\x00]*$")] = ""
    """Of email: as whom to sign in there. Empty: as nobody."""
    password: Secret = ""
    """Of email, by reference."""
    sender: MailAddress | None = None
    """Of email: the address it comes from."""
    to: Annotated[
        tuple[MailAddress, ...], BeforeValidator(listed), Field(max_length=50), _ONE_OR_MANY
    ] = ()
    """Of email: the addresses it goes to."""

    @model_validator(mode="after")
    def _whole(self) -> "ChannelSettings":
        for name in self.model_fields_set - _EVERY - _OWN[self.kind]:
            raise refuse(f"no {name} with kind {self.kind}", f"Remove {name}.", (name,))
        for name in _NEEDED[self.kind]:
            if not getattr(self, name):
                raise refuse(f"{name} with kind {self.kind}", f"Write {name}.", (name,))
        if self.kind == "slack" and not _is_reference(self.url or ""):
            raise refuse("a reference instead of the address", "Whoever knows it can post: write "
                         "it into a file, and url: file:/path.", ("url",))  # fmt: skip
        if self.kind == "email" and self.tls == "none" and not is_loopback(self.host or ""):
            raise refuse("starttls or tls", "Only to this machine a mail may go in the clear.",
                         ("tls",))  # fmt: skip
        if bool(self.user) != bool(self.password):
            raise refuse("user and password together", "Write both, or neither.", ("password",))
        return self


def channels_of(settings: dict[str, ChannelSettings], resolve: Resolve) -> dict[str, AnyChannel]:
    """By name. One whose secret cannot be had is there, and says why it cannot be used."""
    return {name: _channel(name, one, resolve) for name, one in settings.items()}


def _channel(name: str, one: ChannelSettings, resolve: Resolve) -> AnyChannel:
    try:
        return _resolved(name, one, resolve, "")
    except ReferenceBroken as broken:
        return _resolved(name, one, lambda _: "", str(broken))


def _resolved(name: str, one: ChannelSettings, resolve: Resolve, broken: str) -> AnyChannel:
    seconds = GAP_SECONDS[one.kind] if one.every_seconds is None else one.every_seconds
    shared: dict[str, Any] = {
        "name": name, "factors": frozenset(one.factors), "names": one.names,
        "gap": int(seconds * 1_000), "ca_file": one.ca_file or "",
    }  # fmt: skip
    if one.kind == "email":
        return Email(
            **shared, broken=broken, host=(one.host or "").strip("[]"), tls=one.tls,
            port=one.port or PORTS[one.tls], sender=one.sender or "", to=one.to, user=one.user,
            password=resolve(one.password),
        )  # fmt: skip
    url = resolve(one.url or "")
    shared |= {"url": url, "internal": one.internal, "broken": broken or _unfit(url)}
    if one.kind == "slack":
        return Slack(**shared)
    secrets = tuple(resolve(text) for text in (one.secret, one.old_secret) if text)
    return Webhook(**shared, secrets=secrets)


def _unfit(url: str) -> str:
    """Why the address that a reference stands for may not be used. Never the address."""
    return "" if is_private(url) else "its url is not an https:// address"
