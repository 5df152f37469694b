"""The deployment's own secrets, in files that only its user can read."""

import os
import secrets
import stat
from pathlib import Path

from lockgate.model import StoreDown

_BYTES = 32


def private_folder(folder: Path) -> None:
    """Make it where it is missing. Raises ``OSError``, also where others may write to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if os.name != "nt" and mode & 0o022 and not mode & stat.S_ISVTX:
        raise PermissionError(f"others may write to {folder}; run chmod 700 on it")


class LocalSecrets:
    """Makes each secret at its first use. Losing ``pepper`` voids every API key, losing
    ``sealing`` every open session and cursor: back up the directory with the database."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pepper(self) -> bytes:
        """What API key hashes are keyed with. Raises ``StoreDown``."""
        return self._secret("pepper")

    def sealing_key(self) -> bytes:
        """For ``AesGcmSealer``. Raises ``StoreDown``."""
        return self._secret("sealing")

    def _secret(self, name: str) -> bytes:
        path = self._directory / f"{name}.key"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.path.lexists(path):
                _make(path, secrets.token_hex(_BYTES))
            return _read(path)
        except OSError as error:
            raise StoreDown(f"cannot read the secret {path}: {error.strerror}") from error


def host_id(folder: Path) -> str:
    """A random name for this machine, kept in ``folder``: no secret. Raises ``StoreDown``."""
    path = folder / "host.id"
    try:
        if not os.path.lexists(path):
            _make(path, secrets.token_hex(8))
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreDown(f"cannot read {path}: {error}") from error


def _make(path: Path, text: str) -> None:
    """The file appears whole or not at all; where two processes make it, the first one's stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path)
    finally:
        draft.unlink()


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise StoreDown(f"others may read the secret {path}; run chmod 600 on it")
        text = file.read(4 * _BYTES).strip()
    try:
        value = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        value = b""
    if len(value) != _BYTES:
        # Never replaced: a new one would void what the old one protects.
        raise StoreDown(f"the secret {path} is not {_BYTES} bytes in hex; restore it")
    return value
