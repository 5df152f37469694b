"""Where adapters meet ports. ``Plant`` lives as long as the process; ``State`` until a reload."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from lockgate.app.brake import Brake
from lockgate.app.gateway import State
from lockgate.app.quotas import message_limits, quota_limits, quota_of
from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.stamps import Clock, now_ms, stamp
from lockgate.app.upstream_identity import UpstreamIdentity, credential_of, reach_of, tls_of
from lockgate.approval.gate import Marks
from lockgate.audit.journal import GroupCommitJournal
from lockgate.audit.refusals import RefusalTally
from lockgate.identity.api_key import KeyCheck
from lockgate.identity.authenticate import Authenticator
from lockgate.model import APPROVALS, NOW, QUOTA, Approval, Call, FactKey, StoreDown, Upstream
from lockgate.model.reference import ReferenceBroken, resolve_reference
from lockgate.pipeline import record
from lockgate.pipeline.caller import Endpoint
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.store.accounts import StoredAccounts, account_key
from lockgate.store.approvals import StoredApprovals
from lockgate.store.configuration import StoredConfiguration
from lockgate.store.events import StoredEvents
from lockgate.store.failing import store_errors
from lockgate.store.key_ring import KeyRing
from lockgate.store.keys import StoredKeys
from lockgate.store.migrate import upgrade
from lockgate.store.postgresql import has_schema, open_postgresql
from lockgate.store.quota import Buckets
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.secrets import LocalSecrets, host_id, private_folder
from lockgate.store.session_states import StoredSessionStates
from lockgate.store.sessions import StoredSessions
from lockgate.store.sqlite import open_sqlite
from lockgate.upstream.catalogue import Changed, Registry, ToolCache
from lockgate.upstream.connect import Connector
from lockgate.upstream.forward import Forwarder
from lockgate.upstream.link import Event
from lockgate.upstream.pool import Pool
from lockgate.upstream.relay import Relay
from lockgate.upstream.relay_link import Courier
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget, Target
from lockgate.wire.strict_json import Limits

EMBEDDED = "lockgate.db"
"""The SQLite database in the data directory."""

GATHER_SECONDS = 2.0
"""Facts that are not there by then are unknown."""


class ApprovalSource:
    """Source of the fact ``approvals``."""

    def __init__(self, approvals: StoredApprovals) -> None:
        self._approvals = approvals

    def learn(self, call: Call) -> tuple[Approval, ...]:
        return self._approvals.standing(call.digest)

    def settle(self, value: Any) -> None:
        """Reading reserves nothing."""


class Stores(msgspec.Struct, frozen=True):
    """Everything that is kept, in the data directory and in the database."""

    engine: Engine
    events: StoredEvents
    keys: StoredKeys
    secrets: LocalSecrets
    host: str
    """Names this machine's workers to those of others that use the same database."""


def open_stores(data_dir: Path, database: str = "") -> Stores:
    """``database``: a PostgreSQL URL, or empty for SQLite in ``data_dir``. Raises ``StoreDown``."""
    secrets = LocalSecrets(data_dir / "secrets")
    if database:
        with store_errors(f"cannot use {data_dir}"):
            private_folder(data_dir)
        engine = open_postgresql(database, upgrade)
    else:
        engine = open_sqlite(data_dir / EMBEDDED, upgrade)
    host = host_id(data_dir)
    return Stores(engine, StoredEvents(engine), StoredKeys(engine), secrets, host)


def stores_of(settings: Settings) -> Stores:
    """Raises ``StoreDown``, also where the reference to the database is broken."""
    return open_stores(Path(settings.data_dir), database_of(settings))


def accounts_of(stores: Stores) -> StoredAccounts:
    """Raises ``StoreDown``."""
    return StoredAccounts(stores.engine, account_key(stores.secrets.sealing_key()), now_ms)


def have_stores(settings: Settings) -> bool:
    """Whether they were opened before. Changes nothing; raises ``StoreDown``."""
    if settings.database:
        return has_schema(database_of(settings))
    return (Path(settings.data_dir) / EMBEDDED).exists()


def database_of(settings: Settings) -> str:
    """Raises ``StoreDown``."""
    try:
        return resolved(settings.database) if settings.database else ""
    except ReferenceBroken as broken:
        raise StoreDown(f"the database cannot be named: {broken}") from broken


class Among(msgspec.Struct, frozen=True):
    """Which worker this is, and what it has in common with the others of its host."""

    node: str = ""
    courier: Courier | None = None
    buckets: Buckets | None = None


class Plant:
    """What outlives a reload: stores, connections, reservations."""

    def __init__(self, stores: Stores, settings: Settings, among: Among = Among()) -> None:  # noqa: B008
        self.node, courier = among.node, among.courier
        self.stores = stores
        self.journal = GroupCommitJournal(stores.events)
        self.ring = KeyRing(stores.keys)
        self.approvals = StoredApprovals(stores.engine, now_ms)
        self.sessions = StoredSessions(stores.engine, now_ms)
        self.states = StoredSessionStates(stores.engine, now_ms)
        self.shared = StoredConfiguration(stores.engine, stores.host, now_ms)
        self.sealer = AesGcmSealer(stores.secrets.sealing_key())
        self.authenticator = Authenticator(KeyCheck(self.ring, stores.secrets.pepper()))
        self.tally = RefusalTally(lambda: stamp().id)
        self.quota = quota_of(stores.engine, settings, among.node, among.buckets)
        self.brake = Brake(message_limits(settings), now_ms)
        self.registry = Registry()
        self.tools = ToolCache()
        self.hear: Callable[[Event], None] = _nobody
        """Told what upstreams say outside of any request."""
        self.accounts = accounts_of(stores)
        self.identity = UpstreamIdentity(self.accounts, self.sealer, self.registry)
        self.connector = Connector(
            events=lambda event: self.hear(event), bearer=self.identity.credentials.bearer
        )
        lender = self.identity.credentials
        self.relay = Relay(courier, self.registry, self.connector, lender) if courier else None
        self.pool = Pool(self.relay.connect if self.relay else self.connector, time.monotonic)
        if self.relay:
            self.relay.lend(self.pool)
        self.forwarder = Forwarder(self.registry, self.pool, self.tools, self._tool_changed)
        self.refresh(now_ms())

    async def close(self) -> None:
        """End every link and every child; what was taken counts no more."""
        await self.pool.close_all()
        await self.connector.close()
        with suppress(StoreDown):  # the lease runs out by itself
            await self.quota.close()

    def _tool_changed(self, call: Call, changed: Changed) -> None:
        self.journal.note(record.tool_changed(stamp(), call, changed.tool, changed.before))

    def refresh(self, now: int) -> None:
        """Bring the copies of keys, sessions and approvals up to date. Raises ``StoreDown``."""
        self.ring.refresh(now)
        self.refresh_rest(now)

    def refresh_rest(self, now: int) -> None:
        """All but the keys. Raises ``StoreDown``."""
        self.shared.refresh(now)
        self.states.refresh(now)
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
        self.identity.reach = reach_of(settings, resolved)
        self.quota.limits = quota_limits(settings)
        self.brake.limits = message_limits(settings)
        return State(
            gate=gate,
            resolver=Resolver(upstreams, self.tools),
            endpoints=endpoints(tuple(upstreams)),
            limits=Limits(bytes=settings.limits.message_bytes),
        )


def _nobody(_: Event) -> None:
    """There is no gateway yet."""


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
        headers = {k: resolved(v) for k, v in one.headers.items()}
        credential = credential_of(one.credential, resolved)
        return HttpTarget(resolved(one.url), headers, credential, tls_of(one.tls))
    return StdioTarget(one.argv, {k: resolved(v) for k, v in one.env.items()}, one.cwd)


def resolved(text: str) -> str:
    """A secret by reference, read now. Raises ``ReferenceBroken``."""
    return resolve_reference(text, os.environ, lambda path: Path(path).read_text())
