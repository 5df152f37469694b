"""HTTP to a vault: over TLS that is verified, without redirects and proxies, bounded."""

import errno
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import BuilderError, PyreqwestError

from lockgate.model.reference import ReferenceBroken
from lockgate.model.secret import SecretUnavailable

SECONDS = timedelta(seconds=5)
"""For a whole answer."""
MOST_BYTES = 2**20


class VaultHttp:
    """Blocks. ``address`` is ``https://``, or ``http://`` to this machine: settings see to it."""

    def __init__(self, address: str, ca_file: str = "", namespace: str = "") -> None:
        self._address = address.rstrip("/")
        self._host = urlsplit(address).hostname or ""
        self._ca_file = ca_file
        self._namespace = namespace
        self._client: SyncClient | None = None

    def ask(
        self, verb: str, place: str, token: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """Status and body. Raises ``SecretUnavailable``, or ``ReferenceBroken`` for a ``ca_file``
        that cannot be used."""
        request = self._opened().request(verb, self._address + place)
        request = request.header("X-Vault-Request", "true")
        if self._namespace:
            request = request.header("X-Vault-Namespace", self._namespace)
        try:
            if token:
                request = request.header("X-Vault-Token", token, is_sensitive=True)
            if body is not None:
                request = request.header("content-type", "application/json")
                request = request.body_bytes(orjson.dumps(body))
            with request.build_streamed() as answer:
                raw = answer.body_reader.read(MOST_BYTES) or b""
                return answer.status, bytes(raw)
        except PyreqwestError as error:
            why = type(error).__name__.removesuffix("Error")
        except (ValueError, TypeError):  # a token that no header can hold
            why = "the token is not valid"
        # Not chained: what failed may hold what was sent.
        raise SecretUnavailable(f"the vault at {self._host} cannot be asked ({why})")

    def _opened(self) -> SyncClient:
        if self._client is None:
            builder = SyncClientBuilder().follow_redirects(False).no_proxy().timeout(SECONDS)
            try:
                if self._ca_file:
                    builder = builder.add_root_certificate_pem(_pem(Path(self._ca_file)))
                self._client = builder.build()
            except (OSError, BuilderError) as error:
                why = getattr(error, "strerror", None) or "no certificate"
                raise ReferenceBroken(
                    f"secrets.vault.ca_file {self._ca_file} cannot be used ({why})"
                ) from None
        return self._client


def _pem(path: Path) -> bytes:
    """Raises ``OSError``, also for what holds no certificate: it would be passed over silently."""
    found = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in found:
        raise OSError(errno.EINVAL, "no certificate")
    return found
