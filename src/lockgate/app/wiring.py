"""Where adapters meet ports. ``Plant`` lives as long as the process; ``State`` until a reload."""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from lockgate.app.brake import Brake
from lockgate.app.gateway import State
from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.stamps import Clock, now_ms, stamp
from lockgate.approval.gate import Marks
from lockgate.audit.journal import GroupCommitJournal
from lockgate.audit.refusals import RefusalTally
from lockgate.identity.api_key import Authenticator
from lockgate.model import APPROVALS, NOW, QUOTA, Approval, Call, FactKey, Upstream
from lockgate.model.reference import resolve_reference
from lockgate.pipeline.caller import Endpoint
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.store.approvals import SqliteApprovals
from lockgate.store.database import open_database
from lockgate.store.key_ring import KeyRing
from lockgate.store.migrate import upgrade
from lockgate.store.quota import QuotaLimits, Reservations
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.secrets import LocalSecrets
from lockgate.store.sessions import SqliteSessions
from lockgate.store.sqlite_events import SqliteEvents
from lockgate.store.sqlite_keys import SqliteKeys
from lockgate.upstream.catalogue import Registry, ToolCache
from lockgate.upstream.connect import Connector
from lockgate.upstream.forward import Forwarder
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget, Target
from lockgate.wire.strict_json import Limits

GATHER_SECONDS = 2.0
"""Facts that are not there by then are unknown."""


MESSAGES_PER_CALL = 10
"""Messages of any kind that a principal may send for each call it may make."""


class ApprovalSource:
    """Source of the fact ``approvals``."""

    def __init__(self, approvals: SqliteApprovals) -> None:
        self._approvals = approvals

    def learn(self, call: Call) -> tuple[Approval, ...]:
        return self._approvals.standing(call.digest)

    def settle(self, value: Any) -> None:
        """Reading reserves nothing."""


class Stores(msgspec.Struct, frozen=True):
    """Everything that is kept in the data directory."""

    engine: Engine
    events: SqliteEvents
    keys: SqliteKeys
    secrets: LocalSecrets


def open_stores(data_dir: Path) -> Stores:
    """Raises ``StoreDown``."""
    engine = open_database(data_dir / "lockgate.db", upgrade)
    secrets = LocalSecrets(data_dir / "secrets")
    return Stores(engine, SqliteEvents(engine), SqliteKeys(engine), secrets)


class Plant:
    """What outlives a reload: stores, connections, reservations."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self.stores = stores
        self.journal = GroupCommitJournal(stores.events)
        self.ring = KeyRing(stores.keys)
        self.approvals = SqliteApprovals(stores.engine, now_ms)
        self.sessions = SqliteSessions(stores.engine, now_ms)
        self.sealer = AesGcmSealer(stores.secrets.sealing_key())
        self.authenticator = Authenticator(self.ring, stores.secrets.pepper())
        self.tally = RefusalTally(lambda: stamp().id)
        self.quota = Reservations(quota_limits(settings), now_ms)
        self.brake = Brake(message_limits(settings), now_ms)
        self.registry = Registry()
        self.tools = ToolCache()
        self.connector = Connector()
        self.pool = Pool(self.connector, time.monotonic)
        self.forwarder = Forwarder(self.registry, self.pool, self.tools)
        self.refresh(now_ms())

    async def close_upstreams(self) -> None:
        """End every link and every child."""
        await self.pool.close_all()
        await self.connector.close()

    def refresh(self, now: int) -> None:
        """Bring the copies of keys, sessions and approvals up to date. Raises ``StoreDown``."""
        self.ring.refresh(now)
        self.refresh_rest(now)

    def refresh_rest(self, now: int) -> None:
        """All but the keys. Raises ``StoreDown``."""
        self.sessions.refresh(now)
        self.approvals.refresh(now)

    def state(self, settings: Settings, policies: Mapping[str, str]) -> State:
        """Raises ``PolicyInvalid``, ``MappingInvalid`` or ``ReferenceBroken``; changes nothing
        until everything has been built."""
        bundle = PolicyBundle.compile(policies, argument_mapping(settings))
        registered = [register(name, one, settings) for name, one in settings.upstreams.items()]
        sources: dict[FactKey[Any], Source] = {
            NOW: Clock(),
            QUOTA: self.quota,
            APPROVALS: ApprovalSource(self.approvals),
        }
        gate = Gate(
            order=order(bundle, marks(settings)),
            gatherer=Gatherer(sources, GATHER_SECONDS),
            journal=self.journal,
            sender=self.forwarder,
            approvals=self.approvals,
            stamp=stamp,
            result_cap=settings.journal.result_bytes,
            durable_outcomes=settings.journal.durable_outcomes,
        )
        upstreams = {one.name: one.upstream for one in registered}
        for name in self.registry.changed(registered):
            self.tools.forget(name)
            self.pool.retire(name)
        self.registry.replace(registered)
        self.quota.limits = quota_limits(settings)
        self.brake.limits = message_limits(settings)
        return State(
            gate=gate,
            resolver=Resolver(upstreams, self.tools),
            endpoints=endpoints(tuple(upstreams)),
            limits=Limits(bytes=settings.limits.message_bytes),
        )


def quota_limits(settings: Settings) -> QuotaLimits:
    limits = settings.limits
    return QuotaLimits(limits.calls_per_minute, limits.burst, limits.concurrent_calls)


def message_limits(settings: Settings) -> QuotaLimits:
    """Wide enough for the messages around each call; ``running`` is not used."""
    limits = settings.limits
    return QuotaLimits(
        MESSAGES_PER_CALL * limits.calls_per_minute, MESSAGES_PER_CALL * limits.burst, 1
    )


def endpoints(upstreams: tuple[str, ...]) -> dict[str, Endpoint]:
    """``/mcp`` over all, ``/mcp/<upstream>`` for each."""
    everything = Endpoint("/mcp", tuple(sorted(upstreams)), prefixed=True)
    each = (Endpoint(f"/mcp/{name}", (name,), prefixed=False) for name in upstreams)
    return {endpoint.path: endpoint for endpoint in (everything, *each)}


def argument_mapping(settings: Settings) -> ArgumentMapping:
    return ArgumentMapping(
        {
            (upstream, tool): dict(known.arguments)
            for upstream, one in settings.upstreams.items()
            for tool, known in one.tools.items()
            if known.arguments
        }
    )


def marks(settings: Settings) -> Marks:
    return {
        (upstream, tool): known.hold
        for upstream, one in settings.upstreams.items()
        for tool, known in one.tools.items()
        if known.hold
    }


def register(name: str, one: UpstreamSettings, settings: Settings) -> Registered:
    """Raises ``ReferenceBroken`` for a secret that cannot be had."""
    reached = target(one)
    upstream = Upstream(
        name,
        trust=one.trust,
        region=one.region,
        data_classes=one.data_classes,
        sharing=one.sharing,
        fingerprint=fingerprint(reached),
    )
    bounds = Bounds(
        call_seconds=one.timeout_seconds or settings.limits.call_seconds,
        reply_bytes=settings.limits.reply_bytes,
        list_bytes=settings.limits.reply_bytes,
    )
    return Registered(upstream, reached, bounds)


def fingerprint(reached: Target) -> str:
    """Of everything that says which server is reached, and as whom. A hash: it holds secrets."""
    return hashlib.sha256(msgspec.json.encode(reached, order="deterministic")).hexdigest()


def target(one: UpstreamSettings) -> Target:
    if one.url is not None:
        return HttpTarget(resolved(one.url), {k: resolved(v) for k, v in one.headers.items()})
    return StdioTarget(one.argv, {k: resolved(v) for k, v in one.env.items()}, one.cwd)


def resolved(text: str) -> str:
    """A secret by reference, read now. Raises ``ReferenceBroken``."""
    return resolve_reference(text, os.environ, lambda path: Path(path).read_text())
