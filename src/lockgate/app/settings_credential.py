"""As whom the gateway comes to an upstream: ``credential`` and ``tls`` of an upstream's entry."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints, model_validator

from lockgate.app.settings_kinds import (
    Closed,
    Name,
    Origin,
    Value,
    is_loopback,
    refuse,
    split_url,
)
from lockgate.model.reference import ReferenceBroken, parse_reference
from lockgate.upstream.credential import PERSONAL, Mode
from lockgate.upstream.oauth_token import ClientAuth


def _by_reference(value: str) -> str:
    try:
        found = parse_reference(value) if value else None
    except ReferenceBroken as error:
        raise refuse("a reference env:NAME or file:/path", f"{error}.") from error
    if value and found is None:
        raise refuse("a reference instead of a secret", "Put the secret into a file only the "
                     "gateway may read and write file:/path, or write env:NAME.")  # fmt: skip
    return value


def _issuer(value: str) -> str:
    if not value:
        return value
    parts = split_url(value)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    if not secure or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise refuse("an https:// URL without query", "Write the issuer exactly as the server "
                     "calls itself.")  # fmt: skip
    return value


Secret = Annotated[Value, AfterValidator(_by_reference)]
Issuer = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_issuer)]


class ClientSettings(Closed):
    """The gateway, as registered at one authorization server."""

    id: Annotated[str, StringConstraints(max_length=2048)] = ""
    """Its client_id there."""
    secret: Secret = ""
    """Its secret, by reference."""
    private_key: Secret = ""
    """Private key (PEM or JWK), by reference, instead of a secret (private_key_jwt)."""
    auth: ClientAuth = ""
    """How it proves itself. Empty: the best that both can."""

    @model_validator(mode="after")
    def _whole(self) -> "ClientSettings":
        if self.secret and self.private_key:
            raise refuse("either secret or private_key", "Remove one of them.")
        if (self.secret or self.private_key) and not self.id:
            raise refuse("an id beside its secret", "Write the client_id.", ("id",))
        if self.auth == "private_key_jwt" and not self.private_key:
            raise refuse("a private_key", "Name its file.", ("private_key",))
        if self.auth.startswith("client_secret") and not self.secret:
            raise refuse("a secret", "Write secret: file:/path.", ("secret",))
        return self


class ProviderSettings(Closed):
    """The company's identity provider, for mode id_jag."""

    issuer: Annotated[Issuer, StringConstraints(min_length=1)]
    """Exactly as it calls itself."""
    client: ClientSettings = ClientSettings()
    """The gateway, as registered there."""


class CredentialSettings(Closed):
    """How the gateway gets access tokens for an upstream. A client's token never goes there."""

    mode: Mode = "none"
    """none and static: only the headers or env configured. Others: OAuth access tokens."""
    issuer: Issuer = ""
    """The upstream's authorization server. Empty: as the upstream says, if it may be asked."""
    client: ClientSettings = ClientSettings()
    """The gateway, as registered there. Mode account can do without (CIMD, registration)."""
    scopes: tuple[Name, ...] = ()
    """Scopes to ask for. Empty: those the upstream asks for."""
    audience: Annotated[str, StringConstraints(max_length=2048)] = ""
    """Mode exchange: the audience to ask for, where the server wants one."""
    resource: Annotated[str, StringConstraints(max_length=2048)] = ""
    """The upstream's name in token requests (RFC 8707). Empty: its URL."""
    subject_token: Literal["", "access_token", "id_token"] = ""
    """Which token of the person is exchanged. Empty: access_token, for id_jag id_token."""
    provider: ProviderSettings | None = None
    """Mode id_jag: who says that this person may use the upstream."""

    @model_validator(mode="after")
    def _whole(self) -> "CredentialSettings":
        if (self.mode == "id_jag") != (self.provider is not None):
            raise refuse("a provider with mode id_jag, and only with it",
                         "Write provider.issuer and provider.client.", ("provider",))  # fmt: skip
        if self.mode in ("exchange", "client_credentials", "id_jag") and not self.client.id:
            raise refuse("a client", f"Mode {self.mode} needs client.id.", ("client",))
        if self.mode in ("none", "static") and self.model_fields_set - {"mode"}:
            raise refuse(f"nothing beside mode {self.mode}",
                         "Remove the rest, or choose another mode.", ("mode",))  # fmt: skip
        return self


class UpstreamTls(Closed):
    """Files in PEM, for the TLS connection to one upstream."""

    certificate: Annotated[str, StringConstraints(max_length=4096)] = ""
    """The gateway's own certificate and what leads to its issuer, shown to the upstream."""
    key: Annotated[str, StringConstraints(max_length=4096)] = ""
    """Its private key, where that is in another file. Only the gateway may read it."""
    authorities: Annotated[str, StringConstraints(max_length=4096)] = ""
    """Who may have issued the upstream's certificate, instead of the system's trust store."""

    @model_validator(mode="after")
    def _whole(self) -> "UpstreamTls":
        if self.key and not self.certificate:
            raise refuse("a certificate beside its key", "Name its file.", ("certificate",))
        return self


class FetchSettings(Closed):
    """What may be asked for metadata, keys and tokens, besides the issuers configured."""

    origins: tuple[Origin, ...] = ()
    """Further origins, for instance of a token endpoint at another host than its issuer."""
    internal: tuple[Origin, ...] = ()
    """Origins that may be in private networks or on this machine. All others must be public."""


def check_credential(credential: CredentialSettings, *, url: str | None, shared: bool) -> None:
    """That it fits the upstream whose it is."""
    mode = credential.mode
    if mode not in ("none", "static") and not url:
        raise refuse("an upstream with a url", f"Mode {mode} sends tokens over HTTP only.",
                     ("credential", "mode"))  # fmt: skip
    if mode in PERSONAL and shared:
        raise refuse("sharing: principal", f"With mode {mode} each person comes as themselves: "
                     "connections are never shared. Remove sharing: shared.",
                     ("sharing",))  # fmt: skip


def anchored(
    credential: CredentialSettings | None, anchor: Callable[[str], str]
) -> CredentialSettings | None:
    """With every reference to a file absolute."""
    if credential is None:
        return None
    provider = credential.provider
    if provider:
        provider = provider.model_copy(update={"client": _anchored(provider.client, anchor)})
    client = _anchored(credential.client, anchor)
    return credential.model_copy(update={"client": client, "provider": provider})


def _anchored(client: ClientSettings, anchor: Callable[[str], str]) -> ClientSettings:
    secret, key = anchor(client.secret), anchor(client.private_key)
    return client.model_copy(update={"secret": secret, "private_key": key})


def anchored_files(tls: UpstreamTls | None, folder: Path) -> UpstreamTls | None:
    """With every path absolute."""
    if tls is None:
        return None
    given = {name: value for name, value in tls.model_dump().items() if value}
    return tls.model_copy(update={n: str(folder / Path(v).expanduser()) for n, v in given.items()})
