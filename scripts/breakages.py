"""``make breakages``: breaks a copy of the program, one way at a time; each must be noticed.

The ways stand in ``scripts/breakages.toml``: what to replace in which file (exactly one place must
match) and who is expected to notice: ``tests`` (for pytest), or ``check``, which is ``types``,
``contracts`` or the title of a ratchet. The noticer must be content with the unbroken copy.
Arguments name the breakages to try; without any, all are.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts/breakages.toml"
BIN = Path(sys.executable).parent
COPIED = ("src", "tests", "checks", "scripts", "docs", "pyproject.toml", "requirements.lock")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules")
_COMPLAINTS = (r"^FAILED \S+", r".* BROKEN$", r"^\S+:\d+: error: .*", r"^\S+: .*")
"""What is quoted of a noticer's output: a test, a contract, a type error, a ratchet's complaint."""


class Breakage(NamedTuple):
    name: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...] = ()
    check: str = ""

    @property
    def noticer(self) -> tuple[str, ...]:
        """The command that is to notice. Its own complaint is a status other than 0."""
        if self.tests:
            quiet = ("-x", "-p", "no:cacheprovider", "--no-header")
            return (sys.executable, "-m", "pytest", *quiet, *self.tests)
        if self.check == "types":
            return (f"{BIN}/mypy", "--strict", self.file)
        if self.check == "contracts":
            return (f"{BIN}/lint-imports", "--no-cache")
        return (sys.executable, "-m", "checks", self.check)


class Misfit(Exception):
    """It proves nothing: its text is not there exactly once, or its noticer fails anyway."""


def read(table: Path) -> list[Breakage]:
    rows = tomllib.loads(table.read_text())["breakage"]
    return [Breakage(**{**row, "tests": tuple(row.get("tests", ()))}) for row in rows]


def copy(root: Path, there: Path) -> None:
    """Copies what checks and tests need from ``root`` to ``there``."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, there / name, ignore=_LEFT_OUT)
        elif source.exists():
            shutil.copy(source, there / name)


def broken(text: str, breakage: Breakage) -> str:
    """The text of the file with the breakage in it. Raises ``Misfit``."""
    count = text.count(breakage.find)
    if count != 1:
        raise Misfit(f"{breakage.file} has the text {count} times: {breakage.find!r}")
    return text.replace(breakage.find, breakage.replace)


class Copy:
    """A copy of the program that can be broken and made whole again."""

    def __init__(self, there: Path) -> None:
        self._there = there
        self._whole: dict[tuple[str, ...], str] = {}

    def noticed(self, breakage: Breakage) -> str:
        """What noticed the breakage; empty if nothing did. Raises ``Misfit``."""
        path = self._there / breakage.file
        text = path.read_text()
        worse = broken(text, breakage)
        if breakage.noticer not in self._whole:
            self._whole[breakage.noticer] = self._complaint(breakage.noticer)
        if said := self._whole[breakage.noticer]:
            raise Misfit(f"complains of the unbroken copy: {said}")
        _replace(path, worse)
        try:
            return self._complaint(breakage.noticer)
        finally:
            _replace(path, text)

    def _complaint(self, command: tuple[str, ...]) -> str:
        there = self._there
        done = subprocess.run(
            command,
            cwd=there,
            env={**os.environ, "PYTHONPATH": f"{there}/src"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return _quoted(command, done.stdout) if done.returncode else ""


def _replace(path: Path, text: str) -> None:
    path.write_text(text)
    # A file that changes twice within a second would be taken for the one that was compiled.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def _quoted(command: tuple[str, ...], output: str) -> str:
    """The complaint. Raises ``Misfit`` where there is none: the copy could not even be tried."""
    patterns = _COMPLAINTS[:1] if "pytest" in command else _COMPLAINTS[1:]
    lines = "\n".join(line.strip() for line in output.splitlines())
    for pattern in patterns:
        if found := re.search(pattern, lines, re.MULTILINE):
            return found[0].removeprefix("FAILED ")
    raise Misfit(f"cannot be tried: {lines[-300:]}")


def attempts(breakages: list[Breakage], there: Copy) -> Iterator[bool]:
    """Tries each and says what came of it. False: it was not noticed."""
    for breakage in breakages:
        try:
            by = there.noticed(breakage)
        except Misfit as misfit:
            print(f"{breakage.name} => DOES NOT FIT: {misfit}", flush=True)
            yield False
        else:
            print(f"{breakage.name} => {f'caught by {by}' if by else 'NOT CAUGHT'}", flush=True)
            yield bool(by)


def main(names: list[str]) -> int:
    breakages = [b for b in read(TABLE) if not names or b.name in names]
    with tempfile.TemporaryDirectory() as folder:
        copy(ROOT, Path(folder))
        caught = sum(attempts(breakages, Copy(Path(folder))))
    print(f"{caught} of {len(breakages)} breakages caught")
    return 0 if caught == len(breakages) > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
