"""Paths in settings are meant from the folder of the file they stand in."""

from functools import partial
from pathlib import Path

from lockgate.app.settings import Listen, Settings, UpstreamSettings
from lockgate.app.settings_admin import Console
from lockgate.app.settings_channels import ChannelSettings
from lockgate.app.settings_credential import anchored, anchored_files
from lockgate.app.settings_issuers import IssuerSettings
from lockgate.app.settings_people import LdapSettings
from lockgate.app.settings_secrets import SecretsSettings
from lockgate.model.reference import ReferenceBroken, parse_reference


def anchor(settings: Settings, folder: Path) -> Settings:
    """The same with every path absolute, taken from ``folder``."""
    people = settings.people
    return settings.model_copy(update={
        "data_dir": str(folder / Path(settings.data_dir).expanduser()),
        "database": _anchor_reference(settings.database, folder),
        "policies": tuple(str(folder / Path(p).expanduser()) for p in settings.policies),
        "listen": _anchor_listen(settings.listen, folder),
        "console": _anchor_console(settings.console, folder),
        "secrets": _anchor_secrets(settings.secrets, folder),
        "approvals": settings.approvals.model_copy(update={"channels": {
            n: _anchor_channel(one, folder) for n, one in settings.approvals.channels.items()
        }}),
        "upstreams": {n: _anchor_upstream(u, folder) for n, u in settings.upstreams.items()},
        "issuers": {n: _anchor_issuer(one, folder) for n, one in settings.issuers.items()},
        "people": settings.people.model_copy(update={
            "scim_secrets": tuple(_anchor_reference(s, folder) for s in people.scim_secrets),
            "ldap": {n: _anchor_ldap(one, folder) for n, one in people.ldap.items()},
        }),
    })  # fmt: skip


def _anchor_listen(listen: Listen, folder: Path) -> Listen:
    if listen.tls is None:
        return listen
    files = {name: str(folder / Path(file).expanduser()) for name, file in listen.tls.files.items()}
    return listen.model_copy(update={"tls": listen.tls.model_copy(update=files)})


def _anchor_issuer(one: IssuerSettings, folder: Path) -> IssuerSettings:
    asked = one.introspection
    if asked is not None and asked.secret is not None:
        secret = _anchor_reference(asked.secret, folder)
        asked = asked.model_copy(update={"secret": secret})
    file = one.keys_file and str(folder / Path(one.keys_file).expanduser())
    return one.model_copy(update={"introspection": asked, "keys_file": file})


def _anchor_console(console: Console, folder: Path) -> Console:
    secret = console.client_secret
    return console.model_copy(
        update={"client_secret": _anchor_reference(secret, folder) if secret else None}
    )


def _anchor_channel(one: ChannelSettings, folder: Path) -> ChannelSettings:
    named = ("url", "secret", "old_secret", "password")
    given = {name: getattr(one, name) for name in named}
    return one.model_copy(update={
        **{name: _anchor_reference(text, folder) for name, text in given.items() if text},
        "ca_file": one.ca_file and str(folder / Path(one.ca_file).expanduser()),
    })  # fmt: skip


def _anchor_secrets(secrets: SecretsSettings, folder: Path) -> SecretsSettings:
    vault = secrets.vault
    said, _, reference = vault.auth.rpartition(" ")
    anchored = vault.model_copy(update={
        "auth": f"{said} {_anchor_reference(reference, folder)}" if said else vault.auth,
        "ca_file": str(folder / Path(vault.ca_file).expanduser()) if vault.ca_file else "",
    })  # fmt: skip
    ages = {_anchor_reference(name, folder): d for name, d in secrets.max_age_days.items()}
    return secrets.model_copy(update={"vault": anchored, "max_age_days": ages})


def _anchor_upstream(upstream: UpstreamSettings, folder: Path) -> UpstreamSettings:
    return upstream.model_copy(update={
        "url": _anchor_reference(upstream.url, folder) if upstream.url else None,
        "cwd": str(folder / Path(upstream.cwd).expanduser()) if upstream.cwd else None,
        "env": {n: _anchor_reference(v, folder) for n, v in upstream.env.items()},
        "headers": {n: _anchor_reference(v, folder) for n, v in upstream.headers.items()},
        "credential": anchored(upstream.credential, partial(_anchor_reference, folder=folder)),
        "tls": anchored_files(upstream.tls, folder),
    })  # fmt: skip


def _anchor_ldap(one: LdapSettings, folder: Path) -> LdapSettings:
    return one.model_copy(update={
        "password": _anchor_reference(one.password, folder) if one.password else None,
        "ca_file": str(folder / Path(one.ca_file).expanduser()) if one.ca_file else None,
    })  # fmt: skip


def _anchor_reference(text: str, folder: Path) -> str:
    try:
        reference = parse_reference(text)
    except ReferenceBroken:  # validation has refused these
        return text
    if reference is None or reference.place != "file":
        return text
    return f"{reference.before}file:{folder / Path(reference.name).expanduser()}"
