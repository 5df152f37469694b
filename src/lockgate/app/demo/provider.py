"""The demo's identity provider: npm's ``oidc-provider`` (``provider.mjs``), on a loopback port."""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from lockgate.app.demo.upstreams import Missing

SCRIPT = Path(__file__).with_name("provider.mjs")
PACKAGE = "oidc-provider"
_NEEDS = "It needs Node.js and npm's oidc-provider (npm install --global oidc-provider)."
_START_SECONDS, _END_SECONDS = 20.0, 5.0
_KEPT = ("PATH", "HOME", "TMPDIR")


class Installed(msgspec.Struct, frozen=True):
    """What runs it."""

    node: str
    modules: Path
    """The ``node_modules`` that has the package."""


class Member(msgspec.Struct, frozen=True):
    """Somebody who may sign in."""

    password: str
    groups: tuple[str, ...]


class Realm(msgspec.Struct, frozen=True):
    """Whom it knows, and for what it issues access tokens."""

    people: Mapping[str, Member]
    client: str
    """The one OAuth client: public and native (RFC 8252)."""
    resource: str
    """Nothing else gets a token (RFC 8707)."""
    scope: str


def find_provider(path: str) -> Installed | Missing:
    """``path``: folders as in ``PATH``. The package is where npm puts it beside programs: of a
    project (``node_modules/.bin``), or of the machine (``bin`` beside ``lib/node_modules``)."""
    node = shutil.which("node", path=path)
    above = [Path(folder).parent for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    for modules in (place for one in above for place in (one, one / "lib" / "node_modules")):
        if node and (modules / PACKAGE / "package.json").is_file():
            return Installed(node, modules)
    return Missing(PACKAGE, _NEEDS)


@asynccontextmanager
async def running(installed: Installed, realm: Realm, log: Path) -> AsyncIterator[str]:
    """Its issuer, until the block is left; it also ends with this process, however that ends.

    Raises ``OSError`` and ``TimeoutError`` where it does not start; why is in ``log``.
    """
    with log.open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            installed.node, SCRIPT, installed.modules, stdin=PIPE, stdout=PIPE, stderr=told,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,
        )  # fmt: skip
    try:
        yield await _issuer_of(process, realm, log)
    finally:
        await _end(process)


async def _issuer_of(process: Process, realm: Realm, log: Path) -> str:
    if process.stdin is None or process.stdout is None:
        raise OSError("the identity provider has no standard streams")
    process.stdin.write(msgspec.json.encode(realm) + b"\n")
    async with asyncio.timeout(_START_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise OSError(f"the identity provider did not start; see {log}")
    return line.decode().strip()


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
