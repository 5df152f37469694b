"""Where adapters meet ports. ``Plant`` lives as long as the process; ``State`` until a reload."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from lockgate.app.brake import Brake
from lockgate.app.gateway import State
from lockgate.app.identities import Identities, issuers_of, reach_of
from lockgate.app.people import rules_of
from lockgate.app.quotas import message_limits, quota_limits, quota_of
from lockgate.app.registering import register, resolved
from lockgate.app.secret_places import references_in
from lockgate.app.secret_watch import SecretWatch
from lockgate.app.settings import Settings
from lockgate.app.settings_admin import rules_of as admin_rules_of
from lockgate.app.settings_approvals import approval_rules_of
from lockgate.app.settings_maps import argument_mapping, console_of, endpoints, marks
from lockgate.app.stamps import Clock, new_id, now_ms, stamp, unguessable_id
from lockgate.app.stores import Stores, accounts_of, inquiries_of, secret_backends
from lockgate.app.upstream_identity import UpstreamIdentity, exchanges
from lockgate.app.upstream_identity import reach_of as reach_outward
from lockgate.approval.approvers import Approvers
from lockgate.approval.desk import Desk
from lockgate.approval.facts import approvals_of
from lockgate.approval.leases import Leases
from lockgate.approval.rules import ApprovalRules
from lockgate.audit.journal import GroupCommitJournal
from lockgate.audit.refusals import RefusalTally
from lockgate.identity.key_uses import KeyUses
from lockgate.identity.standing import Standing
from lockgate.model import APPROVALS, NOW, QUOTA, Approval, AuditEvent, Call, FactKey, StoreDown
from lockgate.model.reference import ReferenceBroken
from lockgate.model.secret import SecretUnavailable
from lockgate.pipeline import record
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate
from lockgate.policy.bundle import PolicyBundle
from lockgate.store.approvals import StandingApprovals
from lockgate.store.configuration import StoredConfiguration
from lockgate.store.directory import Directory
from lockgate.store.key_ring import KeyRing
from lockgate.store.quota import Buckets
from lockgate.store.relations import StoredRelations
from lockgate.store.revocations import StoredRevocations
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.secret_backends.cache import SecretCache
from lockgate.store.session_states import StoredSessionStates
from lockgate.store.sessions import StoredSessions
from lockgate.store.standing import HeldStanding
from lockgate.store.used_proofs import StoredProofs
from lockgate.upstream.catalogue import Changed, Registry, ToolCache
from lockgate.upstream.connect import Connector
from lockgate.upstream.forward import Forwarder
from lockgate.upstream.link import Event
from lockgate.upstream.pool import Pool
from lockgate.upstream.relay import Relay
from lockgate.upstream.relay_link import Courier
from lockgate.upstream.rfc8693_exchange import ACCESS_TOKEN, SubjectToken
from lockgate.upstream.target import (
    Registered,
    WithheldTarget,
)
from lockgate.wire.strict_json import Limits

log = logging.getLogger("lockgate.wiring")


GATHER_SECONDS = 2.0
"""Facts that are not there by then are unknown."""


class ApprovalSource:
    """Source of the fact ``approvals``."""

    def __init__(
        self,
        approvals: StandingApprovals,
        approvers: Approvers,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._approvals = approvals
        self._approvers = approvers
        self._clock = clock

    def learn(self, call: Call) -> tuple[Approval, ...]:
        standing = self._approvals.standing(call)
        return approvals_of(standing, self._approvers, self._clock()) if standing else ()

    def settle(self, value: Any) -> None:
        """Reading reserves nothing."""


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
        self.sessions = StoredSessions(stores.engine, now_ms)
        self.states = StoredSessionStates(stores.engine, now_ms)
        self.shared = StoredConfiguration(stores.engine, stores.host, now_ms)
        self.backends = secret_backends(settings)
        self.secrets = SecretCache(self.backends)
        self.watch = SecretWatch(self.secrets, self.backends, stores.ledger)
        self.sealer = AesGcmSealer(stores.secrets.sealing_key())
        self.key_uses = KeyUses()
        self.revocations = StoredRevocations(stores.engine)
        self.identities = Identities(
            self.ring, self.key_uses, stores.secrets.pepper(), self.revocations,
            StoredProofs(stores.engine, now_ms), settings.console,
        )  # fmt: skip
        self.directory = Directory(stores.people)
        rules = rules_of(settings.people)
        self._ask_people(settings)
        self.authenticator = Standing(self.identities.authenticator, self.directory, rules)
        self.tally = RefusalTally(lambda: stamp().id)
        self.quota = quota_of(stores.engine, settings, among.node, among.buckets)
        self.brake = Brake(message_limits(settings), now_ms)
        self.registry = Registry()
        self.tools = ToolCache()
        self.hear: Callable[[Event], None] = _nobody
        """Told what upstreams say outside of any request."""
        self.accounts = accounts_of(stores)
        self.upstream_identity = UpstreamIdentity(self.accounts, self.sealer, self.registry)
        self.upstream_identity.subjects.ask = self._subject
        lender = self.upstream_identity.credentials
        self.connector = Connector(events=lambda event: self.hear(event), bearer=lender.bearer)
        self.relay = Relay(courier, self.registry, self.connector, lender) if courier else None
        self.pool = Pool(self.relay.connect if self.relay else self.connector, time.monotonic)
        if self.relay:
            self.relay.lend(self.pool)
        self.forwarder = Forwarder(self.registry, self.pool, self.tools, self._tool_changed)
        self.refresh(now_ms())

    def _ask_people(self, settings: Settings) -> None:
        """Needs the directory and the journal."""
        engine = self.stores.engine
        self._settings = settings
        self.inquiries = inquiries_of(self.stores)
        self.leases = Leases(self.inquiries, now_ms, new_id)
        self.approvals = StandingApprovals(
            self.inquiries, now_ms, self.node, working=self.leases.working
        )
        self.standing = HeldStanding(
            self.inquiries, StoredRelations(engine), lambda: self._settings.admin.enforced, now_ms
        )  # fmt: skip
        self.approvers = Approvers(_asked(settings), self.directory, self.standing)
        self.steps = asyncio.Event()
        """Set where a question took a step in this worker."""
        self.desk = Desk(
            self.inquiries,
            lambda: self.approvers.rules,
            self._step_taken,
            now_ms,
            new_id,
            unguessable_id,
            self.leases.working,
            lambda: self.approvals.version,
        )

    def _subject(self, holder: str, kind: str) -> SubjectToken | None:
        """People show us access tokens, and no others."""
        found = self.identities.authenticator.shown_by(holder, now_ms())
        if found is None or kind != ACCESS_TOKEN:
            return None
        return SubjectToken(found.text, kind, found.accepted.issuer)

    async def close(self) -> None:
        """End every link and every child; what was taken counts no more."""
        await self.pool.close_all()
        await self.connector.close()
        await self.watch.close()
        with suppress(StoreDown):  # the lease runs out by itself
            await self.quota.close()

    def _step_taken(self, step: AuditEvent) -> None:
        self.journal.note(step)
        self.steps.set()

    def _tool_changed(self, call: Call, changed: Changed) -> None:
        self.journal.note(record.tool_changed(stamp(), call, changed.tool, changed.before))

    def refresh(self, now: int) -> None:
        """Bring the copies of keys, sessions and approvals up to date. Raises ``StoreDown``."""
        self.refresh_credentials(now)
        self.directory.refresh(now)
        self.refresh_rest(now)

    def refresh_credentials(self, now: int) -> None:
        """Which keys there are, and which tokens count no more. Raises ``StoreDown``."""
        self.ring.refresh(now)
        self.revocations.refresh(now)

    def refresh_rest(self, now: int) -> None:
        """All but the credentials. Raises ``StoreDown``."""
        self.shared.refresh(now)
        self.states.refresh(now)
        self.sessions.refresh(now)
        self.approvals.refresh(now)
        self.standing.refresh(now)

    def state(self, settings: Settings, policies: Mapping[str, str]) -> State:
        """Raises ``PolicyInvalid``, ``MappingInvalid`` or ``ReferenceBroken``; changes nothing
        until everything has been built."""
        bundle = PolicyBundle.compile(policies, argument_mapping(settings))
        issuers = issuers_of(settings, self.resolved)
        registered = self._registered(settings, SecretUnavailable)
        sources: dict[FactKey[Any], Source] = {
            NOW: Clock(),
            QUOTA: self.quota,
            APPROVALS: ApprovalSource(self.approvals, self.approvers),
        }
        gate = Gate(
            order=order(bundle, marks(settings)),
            gatherer=Gatherer(sources, GATHER_SECONDS),
            journal=self.journal,
            sender=self.forwarder,
            approvals=self.approvals,
            desk=self.desk,
            stamp=stamp,
            result_cap=settings.journal.result_bytes,
            durable_outcomes=settings.journal.durable_outcomes,
        )
        resolver = self._take(registered)
        self.identities.replace(issuers, reach_of(settings))
        self.upstream_identity.reach = reach_outward(settings, self.resolved)
        self.identities.authenticator.presented.want(exchanges(settings))
        self._settings = settings
        self.secrets.keep(references_in(settings))
        self.quota.limits = quota_limits(settings)
        self.brake.limits = message_limits(settings)
        self.authenticator.rules = rules_of(settings.people)
        self.approvers.rules = _asked(settings)
        return State(
            gate=gate,
            resolver=resolver,
            endpoints=endpoints(tuple(settings.upstreams)),
            limits=Limits(bytes=settings.limits.message_bytes),
            questions=self.desk,
            console=console_of(settings),
        )

    def renewed(self, state: State) -> State | None:
        """``state`` with changed secrets taken into use; an upstream whose secret cannot be had
        any more is withheld. None where nothing changed."""
        issuers = issuers_of(self._settings, self.resolved)
        self.identities.replace(issuers, reach_of(self._settings))
        registered = self._registered(self._settings, ReferenceBroken)
        if not self.registry.changed(registered):
            return None
        return msgspec.structs.replace(state, resolver=self._take(registered))

    def resolved(self, text: str) -> str:
        """A secret by reference. Raises ``ReferenceBroken``."""
        return resolved(text, self.secrets.known)

    def _registered(self, settings: Settings, withhold: type[ReferenceBroken]) -> list[Registered]:
        found = settings.upstreams.items()
        return [register(name, one, settings, self.secrets.known, withhold) for name, one in found]

    def _take(self, registered: list[Registered]) -> Resolver:
        changed = self.registry.changed(registered)
        for one in registered:
            if isinstance(one.target, WithheldTarget) and one != self.registry.get(one.name):
                log.error("%s is withheld: %s", one.name, one.target.why)
        for name in changed:
            self.tools.forget(name)
            self.pool.retire(name)
        self.registry.replace(registered)
        return Resolver({one.name: one.upstream for one in registered}, self.tools)


def _asked(settings: Settings) -> ApprovalRules:
    admin = admin_rules_of(settings.admin)
    return approval_rules_of(settings.approvals, admin, settings.issuers)


def _nobody(_: Event) -> None:
    """There is no gateway yet."""
