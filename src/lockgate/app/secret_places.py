"""Which secrets the configuration names, and where each is read."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lockgate.app.settings import Settings
from lockgate.app.settings_secrets import SecretsSettings, VaultSettings
from lockgate.model.reference import Place, Reference, ReferenceBroken, parse_reference
from lockgate.model.secret import Secret, SecretBackend, SecretUse
from lockgate.store.secret_backends.aws import AwsClients, SecretsManagerSecrets, SsmSecrets
from lockgate.store.secret_backends.extras import Load
from lockgate.store.secret_backends.local import EnvSecrets, FileSecrets
from lockgate.store.secret_backends.os_keyring import KeyringSecrets
from lockgate.store.secret_backends.vault import VaultSecrets
from lockgate.store.secret_backends.vault_http import VaultHttp
from lockgate.store.secret_backends.vault_login import parse_login

Read = Callable[[Reference], str]
"""The value of a secret. Raises ``ReferenceBroken``."""

_NO_REFERENCES = frozenset({"args", "command", "cwd", "policies", "data_dir", "max_age_days"})
"""Settings that hold none, whatever they begin with."""


class NoVault:
    """Stands where no vault is configured."""

    def read(self, reference: Reference) -> Secret:
        raise ReferenceBroken(
            f"{reference.bare}: no vault is configured; set secrets.vault.address and auth"
        )

    def write(self, reference: Reference, value: str) -> None:  # noqa: ARG002 - the port
        self.read(reference)


def backends_of(
    secrets: SecretsSettings, environ: Mapping[str, str], load: Load
) -> dict[Place, SecretBackend]:
    """Nothing is asked or loaded yet."""
    local = _local(environ)
    aws = AwsClients(load, secrets.aws.region, secrets.aws.endpoint)
    return {
        **local,
        "vault": _vault(secrets.vault, local),
        "ssm": SsmSecrets(aws),
        "secretsmanager": SecretsManagerSecrets(aws),
        "keyring": KeyringSecrets(load),
    }


def read_local(reference: Reference) -> str:
    """Of this process and this machine only."""
    backend = _local(os.environ).get(reference.place)
    if backend is None:
        raise ReferenceBroken(f"{reference.bare} cannot be read here; use env: or file:")
    return backend.read(reference).value


def uses_of(settings: Settings) -> dict[Reference, tuple[SecretUse, ...]]:
    """Every secret that the configuration names, and where."""
    found: dict[Reference, tuple[SecretUse, ...]] = {}
    for path, text in _texts(settings.model_dump()):
        reference = _reference(path, text)
        if reference is not None:
            upstream = path[1] if path[0] == "upstreams" else ""
            use = SecretUse(".".join(path), upstream)
            found[reference.bare] = (*found.get(reference.bare, ()), use)
    return found


def references_in(settings: Settings) -> tuple[Reference, ...]:
    return tuple(uses_of(settings))


def _local(environ: Mapping[str, str]) -> dict[Place, SecretBackend]:
    return {"env": EnvSecrets(environ), "file": FileSecrets()}


def _vault(vault: VaultSettings, local: Mapping[Place, SecretBackend]) -> SecretBackend:
    if not vault.address or not vault.auth:
        return NoVault()
    http = VaultHttp(vault.address, vault.ca_file, vault.namespace)
    return VaultSecrets(http, parse_login(vault.auth), lambda r: local[r.place].read(r).value)


def _reference(path: tuple[str, ...], text: str) -> Reference | None:
    try:
        if path == ("secrets", "vault", "auth"):
            return parse_login(text).secret if text else None
        return parse_reference(text)
    except ReferenceBroken:  # validation has refused these where they matter
        return None


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _NO_REFERENCES or path[-1:] in (("env",), ("headers",)):
                yield from _texts(part, (*path, str(name)))
    elif isinstance(value, tuple | list):
        for number, part in enumerate(value):
            yield from _texts(part, (*path, str(number)))
