"""Take a changed configuration or policy into use without dropping calls."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from lockgate.app.settings import Settings
from lockgate.app.settings_file import SettingsInvalid, load
from lockgate.model.problem import Problem
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid

log = logging.getLogger("lockgate.reload")

Apply = Callable[[Settings], None]
"""Builds everything anew and swaps it in, or raises one of ``REFUSALS`` and changes nothing."""

REFUSALS = (SettingsInvalid, PolicyInvalid, MappingInvalid, ReferenceBroken, OSError)


class Reloader:
    """Watches the settings file and the policy files by content.

    A configuration that does not hold is not taken: the last good one stays in force, and
    ``problem`` says so to the health endpoint and ``lockgate doctor``. ``taken`` is a digest of
    the one in force.
    """

    def __init__(
        self, path: Path, settings: Settings, apply: Apply, seen: str | None = None
    ) -> None:
        """``seen``: ``fingerprint`` from before anything of it was read. Without it, what changed
        between that and now stays unseen until it changes again."""
        self._path = path
        self._settings = settings
        self._apply = apply
        self._seen = self.taken = seen or self._fingerprint()
        self.problem = ""

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._settings

    async def check(self) -> None:
        """Reload if anything changed since the last look."""
        if self._fingerprint() != self._seen:
            self.reload()

    def reload(self) -> None:
        # Taken before reading: what changes meanwhile is seen at the next look. Other policy files
        # than before are taken twice for that.
        self._seen = self._fingerprint()
        try:
            settings = load(self._path)
            self._apply(settings)
        except REFUSALS as refused:
            self.problem = str(refused)
            log.error("configuration not taken, the last good one stays: %s", refused)
            return
        self._settings = settings
        self.taken = self._seen
        self.problem = ""
        log.info("configuration reloaded")

    def _fingerprint(self) -> str:
        return fingerprint(self._path, content_digest(self._path), self._settings)


def content_digest(file: Path) -> str:
    """Also of a file that cannot be read."""
    return hashlib.sha256(_content(file)).hexdigest()


def fingerprint(path: Path, content: str, settings: Settings) -> str:
    """Of the whole configuration. ``content``: digest of the settings file from before it was read
    as ``settings``."""
    found = [str(path), content]
    for file in policy_files(settings, path.parent):
        found += [str(file), content_digest(file)]
    return hashlib.sha256("\0".join(found).encode()).hexdigest()


def policy_files(settings: Settings, base: Path) -> list[Path]:
    """Every ``.cedar`` file the settings name, in a fixed order."""
    found: list[Path] = []
    for named in settings.policies:
        place = base / named
        found += sorted(place.glob("*.cedar")) if place.is_dir() else [place]
    return found


def read_policies(settings: Settings, base: Path) -> dict[str, str]:
    """Raises ``OSError`` for a policy file that cannot be read, ``PolicyInvalid`` for no text."""
    return {str(file): _text(file) for file in policy_files(settings, base)}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = Problem("is not UTF-8 text", str(file), remedy="Save it as UTF-8.")
        raise PolicyInvalid((problem,)) from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        return f"unreadable: {error.errno}".encode()
