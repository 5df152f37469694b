"""The gateway as a process: open everything, listen, and end in order."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from lockgate.app.gateway import Gateway
from lockgate.app.http_protocol import BoundedHttpProtocol
from lockgate.app.ingress_http import Edge, Ingress
from lockgate.app.reload import Reloader, policy_files
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.app.supervision import every
from lockgate.app.wiring import Plant, open_stores
from lockgate.model import JournalDown
from lockgate.model.problem import Problem
from lockgate.pipeline.sessions import Cursors, Sessions
from lockgate.policy.source import PolicyInvalid

log = logging.getLogger("lockgate")

REFRESH_SECONDS = 0.5
"""Revoked keys, ended sessions and new approvals are seen within this time."""
TALLY_SECONDS = 10.0
WATCH_SECONDS = 1.0
DAY_MS = 86_400_000
CONNECTIONS = 1_000
"""Open at the same time. Whoever comes then is told 503, also for health."""
_BACKLOG = 512


class Running(msgspec.Struct, frozen=True):
    """A gateway that is up."""

    gateway: Gateway
    plant: Plant
    reloader: Reloader
    ingress: Ingress
    settings: Settings
    refused: Callable[[str, str], None]
    """Told reason and peer of what is refused before it is anybody's request."""


@asynccontextmanager
async def opened(path: Path, settings: Settings, bound: str) -> AsyncIterator[Running]:
    """Everything but the listening socket. ``bound``: ``host:port`` it will listen on.

    On leaving, what runs may finish, upstreams end, and the journal is written to its end.
    Raises ``StoreDown``, ``PolicyInvalid``, ``MappingInvalid`` or ``ReferenceBroken``.
    """
    plant = Plant(open_stores(Path(settings.data_dir)), settings)
    state = plant.state(settings, read_policies(settings, path.parent))

    def refused(reason: str, peer: str) -> None:
        plant.tally.add(reason, peer, now_ms())

    gateway = Gateway(
        state,
        Sessions(plant.sealer, plant.sessions, settings.limits.session_days * DAY_MS),
        Cursors(plant.sealer),
        refused,
    )

    def apply(new: Settings) -> None:
        gateway.state = plant.state(new, read_policies(new, path.parent))
        ingress.edge = edge_of(new, bound)
        _say_fixed(settings, new)

    reloader = Reloader(path, settings, apply)

    ingress = Ingress(
        gateway,
        edge_of(settings, bound),
        plant.authenticator.authenticate,
        refused,
        lambda: health(plant, reloader),
        plant.brake,
    )
    background = [asyncio.create_task(each) for each in _background(plant, reloader)]
    try:
        yield Running(gateway, plant, reloader, ingress, settings, refused)
    finally:
        await gateway.inflight.drain(settings.limits.drain_seconds)
        for task in background:
            task.cancel()
        await plant.close_upstreams()
        await _end_journal(plant)
        plant.stores.engine.dispose()


async def serve(path: Path, settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` gets the base URL once calls are answered."""
    with listen(settings.listen.host, settings.listen.port) as listener:
        bound = address_of(listener)
        async with opened(path, settings, bound) as running:
            config = server_config(running.ingress, settings, running.refused)
            server = Server(config, lambda: ready(f"http://{bound}"))
            loop = asyncio.get_running_loop()
            with suppress(NotImplementedError):
                loop.add_signal_handler(signal.SIGHUP, running.reloader.reload)
            await server.serve(sockets=[listener])


class Server(uvicorn.Server):
    """Says when it answers, and leaves the rest of an orderly end to its caller."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        with self.capture_signals():
            await self._serve(sockets)
            # Obeyed. uvicorn would raise them again, which ends the process before the journal
            # is written to its end and the upstreams are gone.
            self._captured_signals.clear()


def listen(host: str, port: int) -> socket.socket:
    """Raises ``OSError`` where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server_config(
    ingress: Ingress, settings: Settings, refused: Callable[[str, str], None]
) -> uvicorn.Config:
    limits = settings.limits
    bounds = {"header_seconds": float(limits.header_seconds), "refused": staticmethod(refused)}
    protocol = type("Protocol", (BoundedHttpProtocol,), bounds)
    return uvicorn.Config(
        ingress,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # a warning for each malformed request would be the client's to flood
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(limits.drain_seconds) + 1,
    )


def edge_of(settings: Settings, bound: str) -> Edge:
    """Loopback names are always this gateway's, with its port; others by ``listen.hosts``."""
    port = bound.rsplit(":", 1)[1]
    names = {bound, *(f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]"))}
    named = {n for host in settings.listen.hosts for n in (host, f"{host}:{port}")}
    return Edge(
        hosts=frozenset(n.lower() for n in names | named),
        origins=frozenset(settings.listen.origins) | {f"http://{n.lower()}" for n in names},
        message_bytes=settings.limits.message_bytes,
        body_seconds=settings.limits.body_seconds,
    )


def health(plant: Plant, reloader: Reloader) -> dict[str, Any]:
    """Ready means: calls can be recorded, keys are known to be current."""
    faults = {
        "journal": not plant.journal.healthy,
        "keys": not plant.ring.fresh(now_ms()),
    }
    broken = sorted(name for name, fault in faults.items() if fault)
    found: dict[str, Any] = {"status": "not ready" if broken else "ready", "service": "lockgate"}
    if broken:
        found["broken"] = broken
    if reloader.problem:
        found["configuration"] = "the last change was not taken"
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


def _say_fixed(old: Settings, new: Settings) -> None:
    fixed = {"listen.host": old.listen.host != new.listen.host,
             "listen.port": old.listen.port != new.listen.port,
             "data_dir": old.data_dir != new.data_dir}  # fmt: skip
    changed = ", ".join(name for name, differs in fixed.items() if differs)
    if changed:
        log.warning("%s: the change takes effect at the next start", changed)


def _background(plant: Plant, reloader: Reloader) -> list[Any]:
    # A thread each: keys must not grow too old while something long is read or written.
    for_keys = ThreadPoolExecutor(1, thread_name_prefix="lockgate-keys")
    for_rest = ThreadPoolExecutor(1, thread_name_prefix="lockgate-copies")

    async def read_keys() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(for_keys, plant.ring.refresh, now_ms())

    async def read_rest() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(for_rest, plant.refresh_rest, now_ms())

    async def tally() -> None:
        for event in plant.tally.drain(now_ms()):
            plant.journal.note(event)
        if not plant.journal.healthy:
            await plant.journal.flush()

    return [
        every(REFRESH_SECONDS, "reading keys", read_keys),
        every(REFRESH_SECONDS, "reading sessions and approvals", read_rest),
        every(TALLY_SECONDS, "recording refused credentials", tally),
        every(WATCH_SECONDS, "watching the configuration", reloader.check),
    ]


async def _end_journal(plant: Plant) -> None:
    for event in plant.tally.drain(now_ms()):
        plant.journal.note(event)
    try:
        await plant.journal.close()
    except JournalDown as down:
        log.critical("the journal could not be written to its end: %s", down)
