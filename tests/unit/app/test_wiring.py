import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.app.settings_maps import endpoints
from lockgate.app.stamps import now_ms
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.approval.facts import approvals_of
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import (
    APPROVALS,
    NOW,
    QUOTA,
    Call,
    Known,
    Principal,
    Reservation,
    SendFailed,
    Terms,
    binding_of,
)
from lockgate.model.inquiry import Asked, Vote
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid
from lockgate.store.quota import QuotaLimits
from lockgate.upstream.target import HttpTarget, StdioTarget
from lockgate.wire.refusal import WireRefusal
from support.inquiries import inquiry
from support.staged import PERMIT_ALL
from support.upstream_endpoint import FakeEndpoint, serving
from worlds import ALICE, call, tool

POLICIES = {"a.cedar": PERMIT_ALL}
CLINIC = """
limits: {calls_per_minute: 30, burst: 3, concurrent_calls: 2, call_seconds: 9, reply_bytes: 2 KiB,
         message_bytes: 4 KiB}
journal: {result_bytes: 5, durable_outcomes: [phi]}
upstreams:
  clinic:
    command: clinic
    args: [--quiet]
    env: {TOKEN: "env:CLINIC_TOKEN", PLAIN: "text:file:x"}
    cwd: /srv
    trust: internal
    region: eu
    data_classes: [phi]
    tools:
      get_patient: {arguments: {patient_id: string}}
      delete_patient: {hold: data-owner}
      list_rooms: {}
  shop:
    url: https://shop.example/mcp
    headers: {Authorization: "Bearer env:CLINIC_TOKEN"}
    sharing: shared
    timeout_seconds: 3
"""
PHI = frozenset({"phi"})
SECRET = "s3cr3t-of-the-clinic"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", SECRET)


@pytest.fixture
def settings() -> Settings:
    return parse(CLINIC)


@pytest.fixture
def plant(tmp_path: Path, settings: Settings) -> Iterator[Plant]:
    stores = open_stores(tmp_path / "data")
    yield Plant(stores, settings)
    stores.engine.dispose()


def stood_by(plant: Plant, about: Call) -> Asked:
    """The operator said yes to ``about``, and ``plant`` knows."""
    now = now_ms()
    question = binding_of(about, {"approval.gate": "g"})
    given = Vote("q1", "os:root", "yes", question.digest, now, ("owner",))
    pending = inquiry(digest=question.digest, binding=question, created=now, expires=now + 60_000,
                      kept_until=now + 60_000)  # fmt: skip
    plant.inquiries.add(pending, b"")
    changed = msgspec.structs.replace(pending, state="approved", version=2)
    assert plant.inquiries.replace(changed, given)
    plant.refresh(now_ms())
    return Asked(changed, (given,))


async def learnt(plant: Plant, settings: Settings, about: Any) -> Any:
    gate = plant.state(settings, POLICIES).gate
    return await gate.gatherer.gather(about, gate.order.needs)


async def test_every_fact_that_a_control_needs_has_a_source(
    plant: Plant, settings: Settings
) -> None:
    gate = plant.state(settings, POLICIES).gate
    assert gate.order.needs == {NOW, QUOTA, APPROVALS}
    facts = dict(await gate.gatherer.gather(call(), gate.order.needs))
    assert facts.keys() == gate.order.needs
    assert all(isinstance(fact, Known) for fact in facts.values()), facts


async def test_facts_come_from_the_stores(plant: Plant, settings: Settings) -> None:
    about = call()
    asked = stood_by(plant, about)
    (yes,) = approvals_of((asked,), plant.approvers, now_ms())
    facts = await learnt(plant, settings, about)
    assert facts.get(APPROVALS) == Known((yes,))
    assert abs(facts.get(NOW).value - now_ms()) < 5_000
    taken = facts.get(QUOTA).value
    assert isinstance(taken, Reservation)
    assert (taken.limit_per_minute, taken.limit_running) == (30, 2)


async def test_a_place_is_given_back(plant: Plant, settings: Settings) -> None:
    gate = plant.state(settings, POLICIES).gate
    for _ in range(3):  # of two places at once
        facts = await gate.gatherer.gather(call(), frozenset({QUOTA, NOW, APPROVALS}))
        assert facts.get(QUOTA).value.running_ok  # type: ignore[union-attr]
        gate.gatherer.settle(facts)


def test_settings_reach_the_gate(plant: Plant, settings: Settings) -> None:
    state = plant.state(settings, POLICIES)
    assert (state.gate.result_cap, state.gate.durable_outcomes) == (5, PHI)
    assert state.limits.bytes == 4_096
    assert state.gate.sender is plant.forwarder
    assert state.gate.journal is plant.journal
    clinic = state.resolver.upstreams["clinic"]
    assert (clinic.trust, clinic.region, clinic.data_classes) == ("internal", "eu", PHI)
    assert clinic.sharing == "principal"
    assert state.resolver.upstreams["shop"].sharing == "shared"


def test_ten_messages_of_any_kind_may_go_with_each_call(plant: Plant, settings: Settings) -> None:
    def taken() -> int:
        for n in range(1_000):
            try:
                plant.brake.take(ALICE)
            except WireRefusal:
                return n
        return 1_000

    assert taken() in range(30, 35)  # a burst of 3, and what comes back meanwhile
    plant.state(parse("limits: {calls_per_minute: 1000000}\nupstreams: {}"), {})
    assert plant.brake.limits == QuotaLimits(10_000_000, 2_000, 1)


def test_the_endpoints_are_those_of_the_upstreams(plant: Plant, settings: Settings) -> None:
    assert plant.state(settings, POLICIES).endpoints == endpoints(("clinic", "shop"))


# Secrets.


def test_secrets_are_read_for_the_upstream_alone(plant: Plant, settings: Settings) -> None:
    state = plant.state(settings, POLICIES)
    clinic, shop = plant.registry.all()
    assert clinic.target == StdioTarget(
        ("clinic", "--quiet"), {"TOKEN": SECRET, "PLAIN": "file:x"}, "/srv"
    )
    assert shop.target == HttpTarget(
        "https://shop.example/mcp", {"Authorization": f"Bearer {SECRET}"}
    )
    assert SECRET not in repr(state)
    assert SECRET not in repr(settings)


# Reloading.


def later(text: str = CLINIC, old: str = "", new: str = "") -> Settings:
    assert old in text
    return parse(text.replace(old, new))


def test_tools_of_a_changed_upstream_are_forgotten_and_no_others(
    plant: Plant, settings: Settings
) -> None:
    state = plant.state(settings, POLICIES)
    for upstream in state.resolver.upstreams.values():
        plant.tools.put(upstream, Terms(ALICE.holder), (tool(upstream=upstream.name),))
    plant.state(settings, POLICIES)
    assert plant.tools.tools("clinic", Terms(ALICE.holder))
    plant.state(later(old="--quiet", new="--loud"), POLICIES)
    assert plant.tools.tools("clinic", Terms(ALICE.holder)) is None
    assert plant.tools.tools("shop", Terms(ALICE.holder))


def test_an_upstream_that_went_is_registered_no_more(plant: Plant, settings: Settings) -> None:
    plant.state(settings, POLICIES)
    state = plant.state(later(CLINIC[: CLINIC.index("  shop:")]), POLICIES)
    assert plant.registry.get("shop") is None
    assert set(state.endpoints) == {"/mcp", "/mcp/clinic"}


def test_limits_change_for_the_next_call(plant: Plant, settings: Settings) -> None:
    plant.state(later(old="burst: 3", new="burst: 4"), POLICIES)
    assert plant.quota.limits.burst == 4


@pytest.mark.parametrize(
    ("old", "new", "policies", "refusal"),
    [
        ("env:CLINIC_TOKEN", "env:NOT_SET_ANYWHERE", POLICIES, ReferenceBroken),
        ("--quiet", "--loud", {"a.cedar": "permit(nonsense);"}, PolicyInvalid),
        ("list_rooms: {}", "list_rooms: {arguments: {patient_id: long}}", POLICIES, MappingInvalid),
    ],
)
def test_what_cannot_be_built_changes_nothing(
    plant: Plant, settings: Settings, old: str, new: str, policies: Any, refusal: type[Exception]
) -> None:
    plant.state(settings, POLICIES)
    before = plant.registry.all()
    changed = later(CLINIC.replace(old, new), "burst: 3", "burst: 4")
    with pytest.raises(refusal):
        plant.state(changed, policies)
    assert plant.registry.all() == before
    assert plant.quota.limits.burst == 3


# Stores.


async def test_keys_are_known_from_the_next_refresh_on(plant: Plant) -> None:
    stores = plant.stores
    acting = Acting(Actor("t"), stores.events, now_ms, secrets.token_bytes)
    service = Keys(stores.keys, acting, stores.secrets.pepper())
    key = service.create(KeyOrder("personal", "alice", 1, roles=("doctor",)))
    asked = Evidence((f"Bearer {key.text}",))
    assert isinstance(
        await plant.identities.authenticator.authenticate(asked, now_ms()), AuthRefusal
    )
    plant.refresh(now_ms())
    found = await plant.identities.authenticator.authenticate(asked, now_ms())
    assert isinstance(found, Principal)
    assert (found.id, found.roles) == ("person:alice", frozenset({"doctor"}))
    service.revoke(key.record.id)
    plant.refresh(now_ms())
    assert isinstance(
        await plant.identities.authenticator.authenticate(asked, now_ms()), AuthRefusal
    )


async def test_another_process_s_endings_and_approvals_are_known_from_then_on(
    plant: Plant, settings: Settings
) -> None:
    other = Plant(plant.stores, settings)
    about = call()
    await other.sessions.end("s-1", now_ms() + 60_000)
    asked = stood_by(other, about)
    assert not plant.sessions.ended("s-1")
    assert plant.approvals.standing(about) == ()
    plant.refresh(now_ms())
    assert plant.sessions.ended("s-1")
    assert plant.approvals.standing(about) == (asked,)


def test_what_one_process_seals_another_opens(plant: Plant, settings: Settings) -> None:
    other = Plant(plant.stores, settings)
    assert other.sealer.open("session", plant.sealer.seal("session", b"x")) == b"x"


async def test_upstreams_are_closed_for_good(plant: Plant, settings: Settings) -> None:
    plant.state(settings, POLICIES)
    await plant.close()
    with pytest.raises(SendFailed, match="stopping"):
        async with plant.pool.lease(plant.registry.all()[0], Terms(ALICE.holder)):
            pass


async def test_links_of_a_changed_upstream_are_retired(plant: Plant) -> None:
    async with serving(FakeEndpoint()) as url:
        before, after = (
            f"upstreams: {{shop: {{url: '{url}', region: {r}}}}}" for r in ("eu", "us")
        )
        plant.state(parse(before), POLICIES)
        async with plant.pool.lease(plant.registry.all()[0], Terms(ALICE.holder)):
            plant.state(parse(before), POLICIES)
            assert len(plant.pool.descriptions()) == 1
            plant.state(parse(after), POLICIES)
            assert plant.pool.descriptions() == ()
        await plant.close()
