"""What is done to the gateway meanwhile: upstreams die and return, the configuration changes, keys
are revoked."""

import asyncio
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lockgate.app.stores import open_stores
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from support.gateway import ROOT, Gateway


class HttpUpstream:
    """A process at a port of its own, that can be killed and started again."""

    def __init__(self, era: str, folder: Path) -> None:
        self._era = era
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "soak.http_upstream", self._era, str(self._folder)]
        self._process = subprocess.Popen(
            [*command, str(self.port)], cwd=ROOT, start_new_session=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Trouble:
    def __init__(
        self,
        gate: Gateway,
        over_http: list[HttpUpstream],
        keys: dict[str, str],
        say: Callable[[str], None],
        seed: int,
    ) -> None:
        self.done: Counter[str] = Counter()
        self._gate = gate
        self._over_http = over_http
        self._keys = keys
        self._say = say
        self._chance = random.Random(seed)  # noqa: S311 - not for secrets

    async def make(self, every: float, stopping: asyncio.Event) -> None:
        """One kind after the other, so that each third of a run has as much of each."""
        kinds = (self.kill_child, self.kill_http, self.reload, self.revoke)
        number = 0
        while not stopping.is_set():
            kind = kinds[number % len(kinds)]
            number += 1
            await kind()
            self.done[kind.__name__] += 1
            self._say(f"did {kind.__name__}")
            await asyncio.sleep(every)

    async def kill_child(self) -> None:
        """SIGKILL to a program behind the gateway."""
        children = [pid for pid in self._gate.children() if _is_upstream(pid)]
        if children:
            os.kill(self._chance.choice(sorted(children)), signal.SIGKILL)

    async def kill_http(self) -> None:
        upstream = self._chance.choice(self._over_http)
        upstream.kill()
        await asyncio.sleep(self._chance.uniform(0.5, 3))
        upstream.start()

    async def reload(self) -> None:
        """A changed configuration; every second time the policy too."""
        kept = self._chance.choice([4_096, 16_384, 32_768])
        self._gate.write_config(journal={"result_bytes": kept})
        if self.done["reload"] % 2:
            rule = f'@id("everything")\npermit (principal, action, resource); // {kept}\n'
            self._gate.write_policy(rule)

    async def revoke(self) -> None:
        """A person's key is replaced, then the old one revoked."""
        name = self._chance.choice(sorted(self._keys))
        await asyncio.to_thread(self._replace, name)

    def _replace(self, name: str) -> None:
        stores = open_stores(self._gate.folder / "data")
        try:
            acting = Acting(
                Actor("soak"),
                stores.events,
                lambda: time.time_ns() // 1_000_000,
                secrets.token_bytes,
            )
            keys = Keys(stores.keys, acting, stores.secrets.pepper())
            old = [key.id for key in keys.list() if key.owner == name and not key.revoked]
            self._keys[name] = keys.create(KeyOrder("personal", name, 9)).text
            time.sleep(2)  # until the gateway knows the new one
            for id in old:
                keys.revoke(id)
        finally:
            stores.engine.dispose()


def _is_upstream(pid: int) -> bool:
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return said[1:3] == [b"-m", b"soak.stdio_upstream"]
