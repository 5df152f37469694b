"""Where secrets are kept that references name, and how old each may become."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lockgate.app.settings_kinds import Closed, is_loopback, refuse, split_url
from lockgate.model.reference import Reference, ReferenceBroken, parse_reference
from lockgate.store.secret_backends.vault_login import FORMS, parse_login

DEFAULT_MAX_AGE_DAYS = 90
_DEFAULT = "default"


def _address(value: str) -> str:
    parts = split_url(value) if value else None
    if parts is None:
        return value
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise refuse("an https:// URL", "Write for instance https://vault.example.org:8200.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise refuse("https:// for another machine",
                     "Secrets never travel in the clear; use https://.")  # fmt: skip
    return value


def _auth(value: str) -> str:
    try:
        if value:
            parse_login(value)
    except ReferenceBroken as error:
        raise refuse(FORMS, "Write for instance token file:/run/vault-token, or approle ROLE_ID "
                     "file:/run/secret-id.") from error  # fmt: skip
    return value


def _referred(value: dict[str, int]) -> dict[str, int]:
    for name in value:
        try:
            known = name == _DEFAULT or parse_reference(name) is not None
        except ReferenceBroken:
            known = False
        if not known:
            remedy = "Write each as it stands elsewhere, without a scheme in front."
            raise refuse("references, or default", remedy, (name,))
    return value


_Url = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_address)]
_Line = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\r\n]*$")]


class VaultSettings(Closed):
    """HashiCorp Vault or OpenBao, for references vault:<mount>/<path>#<field>."""

    address: _Url = ""
    """https:// URL; http:// only on this machine."""
    auth: Annotated[_Line, AfterValidator(_auth)] = ""
    """token REFERENCE, approle ROLE_ID REFERENCE, jwt ROLE REFERENCE or kubernetes ROLE REFERENCE;
    after the method @MOUNT where it is not enabled under its own name."""
    ca_file: _Line = ""
    """Certificates (PEM) to trust besides the system's."""
    namespace: _Line = ""
    """Namespace of all that is read."""


class AwsSettings(Closed):
    """Amazon Web Services, for references ssm: and secretsmanager:. Needs lockgate[aws]."""

    region: _Line = ""
    """Empty: as every AWS program finds it (AWS_REGION, the profile)."""
    endpoint: _Url = ""
    """Another address than AWS's own, for instance of a private endpoint."""


class SecretsSettings(Closed):
    """Where secrets are kept that references name."""

    vault: VaultSettings = VaultSettings()
    aws: AwsSettings = AwsSettings()
    max_age_days: Annotated[
        dict[str, Annotated[int, Field(ge=1, le=3660)]], AfterValidator(_referred)
    ] = {}
    """Days, by reference, after which `lockgate secrets status` calls a secret overdue; default is
    for all others, and 90 itself."""

    def max_age(self, reference: Reference) -> int:
        """Days."""
        default = self.max_age_days.get(_DEFAULT, DEFAULT_MAX_AGE_DAYS)
        return self.max_age_days.get(str(reference.bare), default)
