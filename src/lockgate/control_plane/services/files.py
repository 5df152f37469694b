"""Files that are replaced whole or not at all."""

import os
import tempfile
from pathlib import Path

from lockgate.control_plane.services.refused import Refused

PRIVATE = 0o600
MAX_BYTES = 16 * 2**20


def read_text(path: Path) -> str:
    """Raises ``Refused`` when it cannot be read, is not UTF-8 or is larger than 16 MiB."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    if len(raw) > MAX_BYTES:
        raise Refused(f"{path} is larger than 16 MiB.", "Check that this is the right file.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Replace ``path`` in one step; on failure it stays as it was.

    ``mode`` None keeps the mode of what is replaced, and is private for a new file. A symbolic
    link is followed, so that a linked dotfile stays linked.
    """
    target = path.resolve()
    if mode is None:
        mode = target.stat().st_mode & 0o777 if target.exists() else PRIVATE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}).") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise Refused(f"{path} cannot be written ({error.strerror}).") from error


def write_new(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file that must not exist yet. Raises ``Refused``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"{path.parent} cannot be made ({error.strerror}).") from error
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode())
    except FileExistsError as error:
        raise Refused(f"{path} exists already.", "Nothing was changed. Choose another directory "
                      "with --dir, or move it away.") from error  # fmt: skip
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}).") from error


def make_private_dir(path: Path) -> None:
    """A directory only its owner may enter, made if absent. Raises ``Refused``."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise Refused(f"{path} cannot be made private ({error.strerror}).") from error


def back_up(path: Path, stamp: str) -> Path | None:
    """A copy beside ``path``, named with ``stamp``; None where there is nothing to copy."""
    if not path.exists():
        return None
    text = read_text(path)
    copy = path.with_name(f"{path.name}.{stamp}.bak")
    for number in range(2, 100):
        if not copy.exists():
            break
        copy = path.with_name(f"{path.name}.{stamp}-{number}.bak")
    write_new(copy, text, PRIVATE)
    return copy
