"""The gateway as a process: open everything, listen, and end in order."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from lockgate.app import memory
from lockgate.app.background import Background
from lockgate.app.beside import ingress_of
from lockgate.app.connect_pages import base_of
from lockgate.app.crew import Crew
from lockgate.app.edge import Edge
from lockgate.app.executions import Executions
from lockgate.app.front import Front, edge_of, front_of, scheme_of
from lockgate.app.gateway import Gateway, State
from lockgate.app.http_protocol import BoundedHttpProtocol
from lockgate.app.http_server import Server
from lockgate.app.ingress_http import Ingress
from lockgate.app.listening import address_of, listen_at
from lockgate.app.provisioning import Provisioning
from lockgate.app.reload import Reloader, content_digest, fingerprint, read_policies
from lockgate.app.seat import Greeter, Line, Seat
from lockgate.app.secret_places import references_in
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import Stores, stores_of
from lockgate.app.supervision import every
from lockgate.app.tls_greeter import TlsGreeter
from lockgate.app.wiring import Plant
from lockgate.model import JournalDown
from lockgate.pipeline.sessions import Cursors, Rounds, Sessions

log = logging.getLogger("lockgate")

DAY_MS = 86_400_000
TICK_SECONDS = 1.0
CONNECTIONS = 1_000
"""Open at the same time. Whoever comes then is told 503, also for health."""


class Running(msgspec.Struct, frozen=True):
    """A gateway that is up."""

    gateway: Gateway
    plant: Plant
    reloader: Reloader
    ingress: Ingress
    settings: Settings
    refused: Callable[[str, str], None]
    """Told reason and peer of what is refused before it is anybody's request."""

    def stop(self) -> None:
        """End what would go on for as long as its client likes."""
        self.gateway.stop()
        if self.ingress.news is not None:
            self.ingress.news.stop()


@asynccontextmanager
async def opened(
    path: Path, settings: Settings, bound: str, line: Line | None = None, seen: str | None = None
) -> AsyncIterator[Running]:
    """Everything but the listening socket. ``bound``: ``host:port`` it will listen on; ``line``:
    of one worker among several; ``seen``: digest of the settings file before it was read.

    On leaving, what runs may finish, upstreams end, and the journal is written to its end.
    Raises ``StoreDown``, ``PolicyInvalid``, ``MappingInvalid`` or ``ReferenceBroken``.
    """
    seen = fingerprint(path, seen or content_digest(path), settings)
    front, stores = front_of(settings), stores_of(settings)
    crew = Crew(stores.host, line)
    plant = await _planted(stores, settings, crew, front)
    state = plant.state(settings, read_policies(settings, path.parent))

    def refused(reason: str, peer: str) -> None:
        plant.tally.add(reason, peer, now_ms())

    gateway = gateway_of(plant, settings, state, refused)

    def apply(new: Settings) -> None:
        edge = expose(plant, new, bound, changed := front_of(new))
        provision = provisioning.built(new)
        gateway.state = plant.state(new, read_policies(new, path.parent))
        gateway.hub.reloaded()
        plant.identities.authenticator.workloads, ingress.edge = changed.workloads, edge
        provision()
        _say_fixed(settings, new)

    plant.watch.renew = lambda: _renew(plant, gateway)
    reloader = Reloader(path, settings, apply, seen)
    ingress = ingress_of(
        plant, gateway, expose(plant, settings, bound, front), refused,
        lambda: health(plant, reloader) | crew.told, lambda: reloader.settings,
    )  # fmt: skip
    provisioning = Provisioning(plant, ingress, refused)
    provisioning.built(settings)()
    await crew.join(plant, gateway, ingress.streams, reloader)
    background = _begun(plant, gateway, reloader, provisioning, ingress)
    try:
        yield Running(gateway, plant, reloader, ingress, settings, refused)
    finally:
        await _drain(gateway, settings, crew)
        await background.stop()
        await _close(plant, gateway, crew)


def _kept_current(gateway: Gateway, ingress: Ingress) -> Iterator[Coroutine[Any, Any, None]]:
    yield every(TICK_SECONDS, "keeping streams", gateway.hub.tick)
    if ingress.news is not None:
        yield ingress.news.task()


def _begun(
    plant: Plant, gateway: Gateway, reloader: Reloader, provisioning: Provisioning, ingress: Ingress
) -> Background:
    background = Background(plant, reloader, asked=gateway.dialogue.pending.vigil.tell)
    executions = Executions(plant, lambda: gateway.state, gateway.inflight)
    background.start(
        provisioning.task(), *_kept_current(gateway, ingress),
        background.carrying_out(executions.look),
    )  # fmt: skip
    return background


async def _planted(stores: Stores, settings: Settings, crew: Crew, front: Front) -> Plant:
    plant = Plant(stores, settings, crew.among)
    plant.identities.authenticator.workloads = front.workloads
    await plant.watch.first(references_in(settings))
    return plant


def gateway_of(
    plant: Plant, settings: Settings, state: State, refused: Callable[[str, str], None]
) -> Gateway:
    gateway = Gateway(
        state,
        Sessions(plant.sealer, plant.sessions, settings.limits.session_days * DAY_MS),
        Cursors(plant.sealer),
        Rounds(plant.sealer),
        plant.states,
        plant.sealer,
        refused,
        plant.node,
    )
    gateway.session_ended = plant.pool.retire_session
    return gateway


async def serve(
    path: Path,
    settings: Settings,
    ready: Callable[[str], None],
    seat: Seat | None = None,
    seen: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` gets the base URL once calls are answered; one
    worker among several (``seat``) tells only whoever stands over them."""
    with seat.listening() if seat else listen_at(settings) as listener:
        bound = address_of(listener)
        line = Line(seat) if seat else None
        async with opened(path, settings, bound, line, seen) as running:
            config = server_config(running.ingress, settings, running.refused)
            server = Server(config, running.stop, greeter_of(running))
            if line is None:
                server.ready = lambda: ready(f"{scheme_of(settings)}://{bound}")
            else:
                line.attach(server)
            memory.settle()
            loop = asyncio.get_running_loop()
            with suppress(NotImplementedError):
                loop.add_signal_handler(signal.SIGHUP, running.reloader.reload)
            await server.serve(sockets=[listener])
        if line is not None:
            line.close()


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


def expose(plant: Plant, settings: Settings, bound: str, front: Front) -> Edge:
    """Who is let in, and where browsers are sent back to."""
    plant.upstream_identity.base = base_of(settings, bound)
    return edge_of(settings, bound, front)


def greeter_of(running: Running) -> Greeter | None:
    """Of TLS; whether there is any changes at the next start only."""
    first = running.ingress.edge.tls
    if first is None:
        return None
    seconds = float(running.settings.limits.header_seconds)
    return TlsGreeter(lambda: running.ingress.edge.tls or first, seconds, running.refused)


def health(plant: Plant, reloader: Reloader) -> dict[str, Any]:
    """Ready means: calls can be recorded, keys and people are known to be current."""
    faults = {
        "journal": not plant.journal.healthy,
        "keys": not plant.ring.fresh(now_ms()),
        "revocations": not plant.revocations.fresh(now_ms()),
        "people": not plant.authenticator.knows(now_ms()),
    }
    broken = sorted(name for name, fault in faults.items() if fault)
    found: dict[str, Any] = {"status": "not ready" if broken else "ready", "service": "lockgate"}
    if broken:
        found["broken"] = broken
    if plant.secrets.failing():
        found["secrets"] = "some cannot be read"
    if reloader.problem:
        found["configuration"] = "the last change was not taken"
    elif plant.shared.differs(reloader.taken, now_ms()):
        found["configuration"] = "another worker has taken another one"
    return found


def _renew(plant: Plant, gateway: Gateway) -> None:
    """Take changed secrets into use."""
    renewed = plant.renewed(gateway.state)
    if renewed is not None:
        gateway.state = renewed
        gateway.hub.reloaded()


def _say_fixed(old: Settings, new: Settings) -> None:
    fixed = {"listen.host": old.listen.host != new.listen.host,
             "listen.port": old.listen.port != new.listen.port,
             "listen.tls": (old.listen.tls is None) != (new.listen.tls is None),
             "listen.workers": old.listen.workers != new.listen.workers,
             "data_dir": old.data_dir != new.data_dir,
             "database": old.database != new.database,
             "console": old.console != new.console,
             "secrets.vault": old.secrets.vault != new.secrets.vault,
             "secrets.aws": old.secrets.aws != new.secrets.aws}  # fmt: skip
    changed = ", ".join(name for name, differs in fixed.items() if differs)
    if changed:
        log.warning("%s: the change takes effect at the next start", changed)


async def _drain(gateway: Gateway, settings: Settings, crew: Crew) -> None:
    gateway.stop()
    await gateway.inflight.drain(settings.limits.drain_seconds)
    await crew.drained()


async def _close(plant: Plant, gateway: Gateway, crew: Crew) -> None:
    await gateway.hub.close()
    await plant.close()
    await crew.leave()
    await _end_journal(plant)
    plant.stores.engine.dispose()


async def _end_journal(plant: Plant) -> None:
    for event in plant.tally.drain(now_ms()):
        plant.journal.note(event)
    try:
        await plant.journal.close()
    except JournalDown as down:
        log.critical("the journal could not be written to its end: %s", down)
