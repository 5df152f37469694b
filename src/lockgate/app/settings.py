"""What ``lockgate.yaml`` may say. Typed, closed, and safe where it says nothing.

Reading the file and explaining mistakes is in ``settings_file``. Values that hold a reference
(``env:NAME``, ``file:/path``) keep it; ``model.reference.resolve_reference`` resolves it where the
upstream is reached, so that settings can be printed.
"""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from lockgate.app.settings_admin import Admin, Console
from lockgate.app.settings_approvals import Approvals
from lockgate.app.settings_credential import (
    CredentialSettings,
    FetchSettings,
    UpstreamTls,
    check_credential,
)
from lockgate.app.settings_issuers import IssuerSettings, check_issuers
from lockgate.app.settings_kinds import (
    Closed,
    HostName,
    Name,
    Origin,
    Seconds,
    Text,
    UpstreamName,
    Value,
    is_loopback,
    listed,
    refuse,
    split_url,
)
from lockgate.app.settings_limits import Journal, Limits
from lockgate.app.settings_people import PeopleSettings
from lockgate.app.settings_secrets import SecretsSettings
from lockgate.app.settings_tls import (
    ProxySettings,
    TlsSettings,
    WorkloadSettings,
    check_certificates_asked,
    check_known_once,
)
from lockgate.approval.preview import runs_it
from lockgate.model.reference import ReferenceBroken, looks_secret, parse_reference
from lockgate.model.upstream import Sharing, Trust

ArgumentKind: TypeAlias = Literal["string", "long", "decimal", "bool", "strings"]
"""How policy sees an argument (Cedar: String, Long, decimal, Bool, Set<String>)."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept",
     "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"}
)  # fmt: skip


class Listen(Closed):
    """Where clients reach the gate."""

    host: HostName = "127.0.0.1"
    """Address to listen on. Anything but loopback needs tls or behind_tls_proxy."""
    port: int = Field(default=8765, ge=0, le=65_535)
    """TCP port; 0 takes any free one."""
    hosts: tuple[HostName, ...] = ()
    """Host names clients may use, besides loopback names (guards against DNS rebinding)."""
    public_url: Annotated[str, StringConstraints(pattern=r"^(https?://[^/?#@\s]+)?$")] = ""
    """Where clients reach the gate, without path: access tokens must be meant for it."""
    origins: tuple[Origin, ...] = ()
    """Web origins whose pages may call the gate. Empty: none."""
    behind_tls_proxy: bool = False
    """True: something in front of the gate terminates TLS, so keys never travel in the clear."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that share the work. More than the machine has cores gains nothing."""
    tls: TlsSettings | None = None
    """TLS of the gate's own. None: plain HTTP."""
    proxies: dict[UpstreamName, ProxySettings] = {}
    """Proxies that may say which certificate and address a client has, by any name."""

    @model_validator(mode="after")
    def _proxies(self) -> "Listen":
        if self.proxies:
            check_certificates_asked(self.tls, "proxies")
            check_known_once(self.proxies, "proxies")
        return self

    @model_validator(mode="after")
    def _exposed(self) -> "Listen":
        if is_loopback(self.host):
            return self
        if not self.behind_tls_proxy and self.tls is None:
            raise refuse("a loopback address, or TLS in front",
                         "Use 127.0.0.1, or give the gate a certificate under listen.tls, or put "
                         "a TLS proxy in front and set listen.behind_tls_proxy: true.",
                         ("host",))  # fmt: skip
        if not self.hosts:
            raise refuse("listen.hosts to name this gateway", "List the host names clients use "
                         "under listen.hosts; all others are refused.", ("host",))  # fmt: skip
        return self


class PreviewSettings(Closed):
    """What says what a held call would do, without doing it."""

    tool: Name
    """Tool of the same upstream. It must change nothing. Policy must permit it to System."""
    arguments: dict[Name, Text]
    """Its arguments: {/sql} stands for the held call's argument, also behind EXPLAIN."""

    @field_validator("arguments")
    @classmethod
    def _runs_nothing(cls, arguments: dict[str, str]) -> dict[str, str]:
        if any(map(runs_it, arguments.values())):
            raise refuse("EXPLAIN without ANALYZE", "EXPLAIN ANALYZE runs the statement, and "
                         "nobody has said yes to it.")  # fmt: skip
        return arguments


class ToolSettings(Closed):
    """What policy needs to know of one tool."""

    arguments: dict[Name, ArgumentKind] = {}
    """Arguments that policy may read, and their type. Others never reach policy."""
    hold: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] | None = None
    """Whose yes every call of this tool needs (a factor, for instance data-owner)."""
    preview: PreviewSettings | None = None
    """Shown to whoever is asked."""


class UpstreamSettings(Closed):
    """One MCP server behind the gate: give either url or command."""

    url: Text | None = None
    """Streamable HTTP endpoint; may be a reference."""
    command: Text | None = None
    """Program of a stdio server, started by the gate."""
    args: tuple[Value, ...] = ()
    """Its arguments. Visible to every local user: no secrets here."""
    env: dict[Name, Value] = {}
    """Its whole environment besides PATH and the like. Secrets by reference."""
    headers: dict[Name, Value] = {}
    """HTTP headers to send. Secrets by reference: "Bearer env:API_TOKEN"."""
    credential: CredentialSettings | None = None
    """As whom the gateway comes, where headers and env do not say it."""
    tls: UpstreamTls | None = None
    """The gateway's certificate, and whose certificates are believed."""
    cwd: Text | None = None
    """Its working directory."""
    trust: Trust = "untrusted"
    """How far policy may trust it."""
    region: Annotated[str, StringConstraints(max_length=64)] = ""
    """Where it keeps data, as policy names regions."""
    data_classes: frozenset[Name] = frozenset()
    """Kinds of data it holds, as policy names them."""
    sharing: Sharing = "principal"
    """principal: a process or session for each person. shared: one for all."""
    timeout_seconds: Seconds | None = None
    """Instead of limits.call_seconds."""
    insecure_http: bool = False
    """Allow plain http:// to another machine. Anyone on the way can read and change it."""
    tools: dict[Name, ToolSettings] = {}
    """What policy needs to know, by tool name."""

    @model_validator(mode="after")
    def _whole(self) -> "UpstreamSettings":
        if (self.url is None) == (self.command is None):
            raise refuse("either url or command", "Give url for an HTTP server or command for a "
                         "program the gate starts; not both.")  # fmt: skip
        for name in ("args", "env", "cwd") if self.url else ("headers", "tls"):
            if getattr(self, name):
                other = "url" if self.url else "command"
                raise refuse(f"no {name} beside {other}", f"Remove {name}.", (name,))
        if self.url:
            _check_url(self.url, self.insecure_http)
        if self.credential:
            check_credential(self.credential, url=self.url, shared=self.sharing == "shared")
        for name, value in self.env.items():
            _check_named("env", name, value, _VARIABLE)
        for name, value in self.headers.items():
            _check_named("headers", name, value, _HEADER)
        return self

    @property
    def argv(self) -> tuple[str, ...]:
        """Command and arguments; empty for an HTTP upstream."""
        return (self.command, *self.args) if self.command else ()


def _database(value: str) -> str:
    if not value or _reference("database", "", value):
        return value
    if looks_secret("database", value):
        raise refuse("a database URL without a secret in it", "Put the whole URL into a file and "
                     "write database: file:/path, or database: env:NAME.")  # fmt: skip
    if not value.startswith(("postgresql://", "postgres://")):
        raise refuse("a postgresql:// URL", "Write for instance env:DATABASE_URL, or leave it out "
                     "to keep everything in data_dir.")  # fmt: skip
    return value


class Settings(Closed):
    """A gateway's whole configuration. Relative paths are relative to the file."""

    listen: Listen = Listen()
    data_dir: Text = "data"
    """Journal, keys and secrets. Only the gateway's user may read it."""
    database: Annotated[str, StringConstraints(max_length=4096), AfterValidator(_database)] = ""
    """A PostgreSQL URL, by reference where it holds a password. Empty: SQLite in data_dir."""
    policies: Annotated[tuple[Text, ...], BeforeValidator(listed), WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ] = ("policies",)  # fmt: skip
    """A directory of .cedar files, or a list of files. No policy: nothing is permitted."""
    limits: Limits = Limits()
    journal: Journal = Journal()
    admin: Admin = Admin()
    console: Console = Console()
    approvals: Approvals = Approvals()
    secrets: SecretsSettings = SecretsSettings()
    fetch: FetchSettings = FetchSettings()
    upstreams: dict[UpstreamName, UpstreamSettings] = {}
    """The MCP servers behind the gate, by name."""
    people: PeopleSettings = PeopleSettings()
    workloads: dict[UpstreamName, WorkloadSettings] = {}
    """Programs known by their client certificate, by the name policy knows them by."""
    issuers: dict[UpstreamName, IssuerSettings] = {}
    """Identity providers whose access tokens are accepted, by the name policy knows them by."""

    @model_validator(mode="after")
    def _workloads(self) -> "Settings":
        if self.workloads:
            check_certificates_asked(self.listen.tls, "workloads")
            check_known_once(self.workloads, "workloads")
        return self

    @model_validator(mode="after")
    def _issuers(self) -> "Settings":
        check_issuers(self.issuers, public_url=self.listen.public_url,
                      exposed=not is_loopback(self.listen.host) or self.listen.behind_tls_proxy,
                      directory=bool(self.people.scim_secrets or self.people.ldap))  # fmt: skip
        return self


def _check_url(url: str, insecure: bool) -> None:
    if _reference("url", "", url):
        return
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise refuse("an http:// or https:// URL", "Write the server's MCP endpoint.", ("url",))
    if "@" in parts.netloc or looks_secret("url", url):
        raise refuse("a URL without a secret in it", "Put the whole URL into a file and write "
                     "url: file:/path, or url: env:NAME.", ("url",))  # fmt: skip
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise refuse("https:// for another machine",
                     "Use https://, or set insecure_http: true and accept that anyone on the way "
                     "can read and change the traffic.", ("url",))  # fmt: skip


def _check_named(where: str, name: str, value: str, form: re.Pattern[str]) -> None:
    if not form.fullmatch(name):
        raise refuse(f"a name that may stand in {where}", "Correct the name.", (where, name))
    if where == "headers" and (name.lower() in _OURS or any(c in value for c in "\r\n\0")):
        raise refuse("a header that is not the protocol's own, on one line",
                     "Remove it; the gate sets it.", (where, name))  # fmt: skip
    if _reference(where, name, value):
        return
    plain = value.removeprefix("text:")
    if looks_secret(name if plain == value else "", plain):
        raise refuse("a reference instead of a secret",
                     f"Put the secret into a file only the gateway may read and write "
                     f"{name}: file:/path, or set a variable and write {name}: env:NAME. "
                     "If it is no secret, put text: in front.", (where, name))  # fmt: skip


def _reference(where: str, name: str, value: str) -> bool:
    try:
        return parse_reference(value) is not None
    except ReferenceBroken as error:
        at = (where, name) if name else (where,)
        raise refuse("a reference to a secret", f"{error}.", at) from error
