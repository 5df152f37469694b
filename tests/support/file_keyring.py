"""A keyring that several processes share, for the library ``keyring``."""

import json
import os
from pathlib import Path

from support.memory_keyring import MemoryKeyring


class FileKeyring(MemoryKeyring):
    """What the file that ``KEYRING_OF_TESTS`` names holds, as JSON. The library takes it with
    ``PYTHON_KEYRING_BACKEND=support.file_keyring.FileKeyring``."""

    priority = -1  # never by itself

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        kept = {**self._kept(), f"{service}/{username}": password}
        self._file.write_text(json.dumps(kept))

    @property
    def _file(self) -> Path:
        return Path(os.environ["KEYRING_OF_TESTS"])

    def _kept(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._file.read_text())
        return found
