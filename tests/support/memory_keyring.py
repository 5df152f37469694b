"""A keyring for the library ``keyring`` as its own plugins are: what a desktop would have."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend


class MemoryKeyring(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        """Raised by whatever is asked."""

    def get_password(self, service: str, username: str) -> str | None:
        if self.failure is not None:
            raise self.failure
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.kept[service, username] = password


@contextmanager
def in_use(one: KeyringBackend) -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(one)
    try:
        yield
    finally:
        keyring.set_keyring(before)


class FileKeyring(MemoryKeyring):
    """What the file that ``KEYRING_OF_TESTS`` names holds, as JSON: for other processes. The
    library takes it with ``PYTHON_KEYRING_BACKEND=support.memory_keyring.FileKeyring``."""

    def __init__(self) -> None:
        super().__init__()
        self._file = Path(os.environ["KEYRING_OF_TESTS"])
        kept: dict[str, str] = json.loads(self._file.read_text())
        for name, password in kept.items():
            service, _, username = name.rpartition("/")
            self.kept[service, username] = password

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        self._file.write_text(json.dumps({"/".join(name): v for name, v in self.kept.items()}))
