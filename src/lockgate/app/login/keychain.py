"""Logins in the operating system's keychain. Needs the extra ``lockgate[keyring]``."""

from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringError, PasswordDeleteError

from lockgate.app.login.grant import Grant
from lockgate.app.login.store import decoded, encoded
from lockgate.control_plane.services.refused import Refused

SERVICE = "lockgate login"
REMEDY = (
    "Unlock or install one (macOS Keychain, Windows Credential Locker, GNOME Keyring, KWallet), or "
    "accept an unencrypted file with --insecure-file."
)
_NATIVE = ("macOS", "Windows", "SecretService", "libsecret", "kwallet")
"""Modules of ``keyring.backends`` that are an operating system's. Others that may be installed
keep passwords in plain files."""


class Keychain:
    """``backend``: of the ``keyring`` library."""

    def __init__(self, backend: KeyringBackend, home: Path) -> None:
        self._backend = backend
        self._home = home

    @property
    def place(self) -> str:
        return f"the keychain ({self._backend.name})"

    @property
    def lock(self) -> Path:
        return self._home / ".lockgate" / "login.lock"

    def get(self, gateway: str) -> Grant | None:
        try:
            kept = self._backend.get_password(SERVICE, gateway)
        except KeyringError as error:
            raise _unusable(error) from None
        return None if kept is None else decoded(kept, "the keychain")

    def put(self, grant: Grant) -> None:
        try:
            self._backend.set_password(SERVICE, grant.gateway, encoded(grant))
        except KeyringError as error:
            raise _unusable(error) from None

    def forget(self, gateway: str) -> None:
        try:
            self._backend.delete_password(SERVICE, gateway)
        except PasswordDeleteError:
            return  # there was none
        except KeyringError as error:
            raise _unusable(error) from None


def open_keychain(home: Path, backend: KeyringBackend | None = None) -> Keychain:
    """The system's; ``backend`` is what ``keyring`` chose. Raises ``Refused`` where it chose none
    that is an operating system's."""
    chosen = backend or keyring.get_keyring()
    if isinstance(chosen, ChainerBackend):
        chosen = next((b for b in chosen.backends if _is_native(b)), chosen)
    if not _is_native(chosen):
        raise Refused("There is no keychain here that can be used.", REMEDY)
    return Keychain(chosen, home)


def _is_native(backend: KeyringBackend) -> bool:
    return type(backend).__module__ in {f"keyring.backends.{name}" for name in _NATIVE}


def _unusable(error: KeyringError) -> Refused:
    return Refused(f"The keychain cannot be used ({type(error).__name__}).", REMEDY)
