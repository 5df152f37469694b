"""How the gateway proves to a vault who it is (Vault API, "Auth methods")."""

import re
from typing import Literal, cast

import msgspec

from lockgate.model.reference import LOCAL, Reference, ReferenceBroken, parse_reference

Method = Literal["token", "approle", "jwt", "kubernetes"]

FORMS = (
    "token REFERENCE, approle ROLE_ID REFERENCE, jwt ROLE REFERENCE or kubernetes ROLE REFERENCE"
)
_LOGIN = re.compile(
    r"(?:(?P<token>token)|(?P<method>approle|jwt|kubernetes)(?:@(?P<mount>[A-Za-z0-9_./-]+))?"
    r" (?P<role>[^\s]+)) (?P<reference>\S.*)",
    re.S,
)


class Login(msgspec.Struct, frozen=True):
    """How the gateway proves to Vault who it is."""

    method: Method
    secret: Reference
    """The token; AppRole's secret id; the JSON Web Token, for instance of a Kubernetes account."""
    role: str = ""
    """AppRole's role id; the role of ``jwt`` and ``kubernetes``."""
    mount: str = ""
    """Where the method is enabled, if not under its own name."""

    def body(self, secret: str) -> dict[str, str]:
        if self.method == "approle":
            return {"role_id": self.role, "secret_id": secret}
        return {"role": self.role, "jwt": secret}


def parse_login(text: str) -> Login:
    """``secrets.vault.auth``. ``approle@team ROLE_ID ...``: enabled at ``auth/team``.

    Raises ``ReferenceBroken``.
    """
    found = _LOGIN.fullmatch(text)
    reference = parse_reference(found["reference"]) if found else None
    if found is None or reference is None or reference.before or reference.place not in LOCAL:
        raise ReferenceBroken(f"write {FORMS}, with a reference env:NAME or file:/path")
    method = cast("Method", found["token"] or found["method"])
    return Login(method, reference, found["role"] or "", found["mount"] or "")
