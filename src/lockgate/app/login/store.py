"""Where logins are kept between one process and the next."""

import os
import stat
from pathlib import Path
from typing import Protocol

import msgspec

from lockgate.app.login.grant import Grant
from lockgate.control_plane.services.files import PRIVATE, make_private_dir, write_whole
from lockgate.control_plane.services.refused import Refused

_MOST_BYTES = 2**20


class LoginStore(Protocol):
    """One login a gateway. Blocks: a keychain may ask its owner first. Every method raises
    ``Refused`` where the place cannot be used, and says so without what is kept there."""

    @property
    def place(self) -> str:
        """In words."""
        ...

    @property
    def lock(self) -> Path:
        """The lock file of whoever changes what is kept."""
        ...

    def get(self, gateway: str) -> Grant | None: ...

    def put(self, grant: Grant) -> None: ...

    def forget(self, gateway: str) -> None: ...


class InsecureFile:
    """One login in one file that only its owner may read, which is to say: every program that the
    owner runs, and every backup of it. For machines without a keychain."""

    def __init__(self, file: Path) -> None:
        self._file = file.expanduser().absolute()

    @property
    def place(self) -> str:
        return f"the file {self._file} (not encrypted)"

    @property
    def lock(self) -> Path:
        return self._file.with_name(self._file.name + ".lock")

    def get(self, gateway: str) -> Grant | None:
        kept = self._read()
        return kept if kept is not None and kept.gateway == gateway else None

    def put(self, grant: Grant) -> None:
        kept = self._read()
        if kept is not None and kept.gateway != grant.gateway:
            raise Refused(f"{self._file} holds a login to {kept.gateway}.",
                          "Name another file, or log out there first.")  # fmt: skip
        if not self._file.parent.exists():
            make_private_dir(self._file.parent)
        write_whole(self._file, encoded(grant), PRIVATE)

    def forget(self, gateway: str) -> None:
        if self.get(gateway) is not None:
            self._file.unlink(missing_ok=True)

    def _read(self) -> Grant | None:
        try:
            with self._file.open("rb") as file:
                found = os.fstat(file.fileno())
                text = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{self._file} cannot be read ({error.strerror}).") from None
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
            raise Refused(f"{self._file} can be read by others, so its tokens are not used.",
                          "Log out, log in again, and find out who opened it.")  # fmt: skip
        return decoded(text, f"{self._file}")


def encoded(grant: Grant) -> str:
    return msgspec.json.encode(grant).decode()


def decoded(text: bytes | str, place: str) -> Grant:
    """Raises ``Refused``; not with what msgspec says, which may quote a token."""
    try:
        return msgspec.json.decode(text, type=Grant)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused(f"What {place} holds is no login.", "Remove it and log in again.") from None
