"""Secrets of this process and this machine: ``env:NAME`` and ``file:/path``."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import Secret

MOST_BYTES = 2**20
"""No secret is larger."""


class EnvSecrets:
    """Nothing says when a variable was set, and it stays what it is while the process lives."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, reference: Reference) -> Secret:
        value = self._environ.get(reference.name)
        if value is None:
            raise ReferenceBroken(
                f"the environment variable {reference.name} is not set; set it for the gateway"
            )
        return Secret(present(reference, value))

    def write(self, reference: Reference, value: str) -> None:  # noqa: ARG002 - the port
        raise ReferenceBroken(
            f"{reference.bare} cannot be written from here; set it where the gateway starts, and "
            "start it again"
        )


class FileSecrets:
    """One secret a file. One line end at its end is not part of it."""

    def read(self, reference: Reference) -> Secret:
        try:
            with open(reference.name, "rb") as file:
                raw, made = file.read(MOST_BYTES + 1), os.fstat(file.fileno()).st_mtime_ns
            if len(raw) > MOST_BYTES:
                raise ReferenceBroken(f"the file {reference.name} is larger than 1 MiB")
            value = raw.decode().removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            # Not chained: a decoding error holds what it could not decode.
            raise ReferenceBroken(f"the file {reference.name} cannot be read ({why})") from None
        return Secret(present(reference, value), made=made // 1_000_000)

    def write(self, reference: Reference, value: str) -> None:
        """Replaced in one step, with the owner and mode it had; a symbolic link stays one."""
        path = Path(reference.name).resolve()
        draft = ""
        try:
            found = path.stat()
            handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(value.encode() + b"\n")
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
                os.fchmod(file.fileno(), found.st_mode & 0o777)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except OSError as error:
            if draft:
                Path(draft).unlink(missing_ok=True)
            why = error.strerror or "error"
            raise ReferenceBroken(f"the file {path} cannot be written ({why})") from None


def present(reference: Reference, value: str) -> str:
    """Raises ``ReferenceBroken`` for nothing."""
    if not value:
        raise ReferenceBroken(f"{reference.bare} is empty; put the secret there")
    return value
