"""Secrets in a key-value store, version 2, of HashiCorp Vault or OpenBao:
``vault:<mount>/<path>#<field>``. (Vault API, "KV secrets engine - version 2".)"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretUnavailable
from lockgate.store.secret_backends.fields import pick
from lockgate.store.secret_backends.vault_http import VaultHttp
from lockgate.store.secret_backends.vault_login import Login

_RENEW = 2 / 3
"""Of its life, after which a login's token is replaced."""


class VaultSecrets:
    """``read_local`` gives what the login needs; it is read anew for every login."""

    def __init__(
        self,
        http: VaultHttp,
        login: Login,
        read_local: Callable[[Reference], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._login = login
        self._read_local = read_local
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def read(self, reference: Reference) -> Secret:
        found = self._entry(reference)
        about: Mapping[str, Any] = found["metadata"]
        value = pick(reference, found["data"])
        return Secret(value, str(about["version"]), _moment(str(about["created_time"])))

    def write(self, reference: Reference, value: str) -> None:
        found = self._entry(reference)
        body = {
            "data": {**found["data"], reference.field: value},
            # Nobody else's change in between is lost (check-and-set).
            "options": {"cas": found["metadata"]["version"]},
        }
        status, _ = self._ask("POST", reference, body)
        if status == 400:
            raise SecretUnavailable(f"{reference.bare} was changed meanwhile; try again")
        if status not in (200, 204):
            raise _unanswered(reference, status)

    def _entry(self, reference: Reference) -> dict[str, Any]:
        status, said = self._ask("GET", reference)
        if status == 404:  # also where the newest version was deleted
            raise ReferenceBroken(f"{reference.bare} is not in the vault; put it there")
        entry = said.get("data")
        if status != 200 or not isinstance(entry, dict):
            raise _unanswered(reference, status)
        if not isinstance(entry.get("data"), dict) or not isinstance(entry.get("metadata"), dict):
            mount = reference.name.partition("/")[0]
            raise ReferenceBroken(f"{mount} is no key-value store of version 2 in the vault")
        return entry

    def _ask(
        self, verb: str, reference: Reference, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        mount, _, path = reference.name.partition("/")
        place = f"/v1/{quote(mount)}/data/{quote(path)}"
        status, raw = self._http.ask(verb, place, self._valid(), body)
        if status == 403 and self._login.method != "token":
            # The token may have been revoked before its time.
            status, raw = self._http.ask(verb, place, self._valid(anew=True), body)
        return status, _object(raw)

    def _valid(self, *, anew: bool = False) -> str:
        """A token that Vault takes. Raises ``SecretUnavailable`` and ``ReferenceBroken``."""
        secret = self._read_local(self._login.secret)
        if self._login.method == "token":
            return secret
        with self._lock:
            if anew or self._clock() >= self._until:
                self._token, seconds = self._log_in(secret)
                self._until = self._clock() + _RENEW * seconds
            return self._token

    def _log_in(self, secret: str) -> tuple[str, float]:
        login = self._login
        place = f"/v1/auth/{quote(login.mount or login.method)}/login"
        status, raw = self._http.ask("POST", place, "", login.body(secret))
        auth = _object(raw).get("auth")
        if status != 200 or not isinstance(auth, dict) or not auth.get("client_token"):
            raise SecretUnavailable(f"the vault refuses the gateway's {login.method} login "
                                    f"(HTTP {status}); see secrets.vault.auth")  # fmt: skip
        return str(auth["client_token"]), float(auth.get("lease_duration") or 0)


def _unanswered(reference: Reference, status: int) -> SecretUnavailable:
    why = {
        403: "the gateway's login may not use it",
        429: "it is asked too often",
        503: "it is sealed or in maintenance",
    }.get(status, f"HTTP {status}")
    return SecretUnavailable(f"{reference.bare}: the vault does not give it ({why})")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        said = {}
    return said if isinstance(said, dict) else {}


def _moment(text: str) -> int:
    """RFC 3339, nanoseconds cut; 0 for what is none."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") or ("Z" if not rest and not whole.endswith("Z") else "")
    try:
        return int(datetime.fromisoformat(whole + zone).timestamp() * 1_000)
    except ValueError:
        return 0
