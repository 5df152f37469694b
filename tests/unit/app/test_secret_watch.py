"""A credential that is rotated in a real vault, before an upstream that checks it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lockgate.app.gateway import State
from lockgate.app.secret_places import references_in
from lockgate.app.secret_watch import SecretWatch
from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.model import SendFailed, Terms
from lockgate.model.reference import Reference
from lockgate.model.secret import Secret
from lockgate.store.secret_backends.cache import SecretCache
from lockgate.upstream.opening import speaking
from lockgate.upstream.target import WithheldTarget
from support.guarded import GuardedEndpoint
from support.secret_servers import ROOT_TOKEN, Vault
from support.staged import PERMIT_ALL
from support.upstream_endpoint import serving

POLICIES = {"a.cedar": PERMIT_ALL}
ALICE = Terms("alice")


class House:
    """Everything of a gateway that has to do with secrets, on a clock of its own."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.now = 0.0
        self.settings = settings
        self.stores = open_stores(folder / "data")
        self.plant = Plant(self.stores, settings)
        self.plant.secrets = SecretCache(self.plant.backends, lambda: self.now)
        self.watch = self.plant.watch = SecretWatch(
            self.plant.secrets, self.plant.backends, self.stores.ledger, lambda: self.now
        )
        self.watch.renew = self.renew
        self.state: State | None = None
        self.renewals = 0

    async def open(self) -> None:
        await self.watch.first(references_in(self.settings))
        self.state = self.plant.state(self.settings, POLICIES)

    def renew(self) -> None:
        assert self.state is not None
        renewed = self.plant.renewed(self.state)
        if renewed is not None:
            self.renewals += 1
            self.state = renewed

    async def after(self, seconds: float) -> None:
        self.now += seconds
        await self.watch.look()

    async def call(self, name: str = "shop") -> str:
        """The reason why it fails, or nothing."""
        registered = self.plant.registry.get(name)
        assert registered is not None
        try:
            async with self.plant.pool.lease(registered, ALICE) as link:
                await link.request("tools/list", b"{}", envelope=speaking(ALICE))
        except SendFailed as failure:
            return failure.reason
        return ""

    async def close(self) -> None:
        await self.plant.close()
        self.stores.engine.dispose()


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[GuardedEndpoint, str]]:
    guarded = GuardedEndpoint("first")
    async with serving(guarded) as url:
        yield guarded, url


@pytest.fixture
async def house(
    tmp_path: Path, vault: Vault, endpoint: tuple[GuardedEndpoint, str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:  # fmt: skip
    monkeypatch.setenv("VAULT_OF_TESTS", ROOT_TOKEN)
    vault.put("watch/shop", token="first")
    (tmp_path / "file").write_text("first")
    made = House(tmp_path, parse(f"""
secrets: {{vault: {{address: "{vault.address}", auth: "token env:VAULT_OF_TESTS"}}}}
upstreams:
  shop: {{url: "{endpoint[1]}", headers: {{Authorization: "Bearer vault:secret/watch/shop#token"}}}}
  filed: {{url: "{endpoint[1]}", headers: {{Authorization: "Bearer file:{tmp_path}/file"}}}}
"""))  # fmt: skip
    await made.open()
    yield made
    await made.close()


async def test_a_rotated_credential_is_used_within_the_cache_time_and_without_a_restart(
    house: House, endpoint: tuple[GuardedEndpoint, str], vault: Vault
) -> None:
    assert await house.call() == ""
    fingerprint = house.state.resolver.upstreams["shop"].fingerprint  # type: ignore[union-attr]
    await asyncio.to_thread(vault.put, "watch/shop", token="second")
    endpoint[0].accept("second")
    await house.after(59)
    assert await house.call() == "upstream.credential"
    await house.after(1)
    assert await house.call() == ""
    assert house.renewals == 1
    assert house.state.resolver.upstreams["shop"].fingerprint != fingerprint  # type: ignore[union-attr]


async def test_nothing_happens_where_nothing_changed(house: House) -> None:
    await house.call()
    for _ in range(5):
        await house.after(60)
    assert house.renewals == 0


async def test_a_file_that_changes_is_read_within_ten_seconds(
    house: House, endpoint: tuple[GuardedEndpoint, str], tmp_path: Path
) -> None:
    await house.after(0)
    (tmp_path / "file").write_text("second")
    endpoint[0].accept("second")
    await house.after(10)
    assert await house.call("filed") == ""


async def test_an_upstream_without_its_secret_is_withheld_and_the_others_are_not(
    house: House, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    assert await house.call() == ""
    await asyncio.to_thread(vault.call, "DELETE", "secret/data/watch/shop")
    await house.after(60)
    assert await house.call() == "upstream.secret"
    assert await house.call("filed") == ""
    assert "shop is withheld" in caplog.text
    assert "first" not in caplog.text
    await asyncio.to_thread(vault.put, "watch/shop", token="first")
    await house.after(5)
    assert await house.call() == ""
    assert "can be read again" in caplog.text


async def test_a_vault_out_of_reach_is_borne_for_a_while_and_said_once(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_OF_TESTS", "no-token-of-it")
    for _ in range(4):
        await house.after(60)
    assert await house.call() == ""
    said = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(said) == 1
    await house.after(60)
    assert await house.call() == "upstream.secret"


async def test_what_cannot_be_read_at_the_start_withholds_its_upstream_alone(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_OF_TESTS", "no-token-of-it")
    other = House(tmp_path / "other", house.settings)
    await other.open()
    shop = other.plant.registry.get("shop")
    assert shop is not None
    assert isinstance(shop.target, WithheldTarget)
    assert await other.call("filed") == ""
    monkeypatch.setenv("VAULT_OF_TESTS", ROOT_TOKEN)
    await other.after(5)
    assert await other.call("shop") == ""
    await other.close()


class Defective:
    """A backend that does what none may do."""

    def read(self, reference: Reference) -> Secret:
        raise ZeroDivisionError

    def write(self, reference: Reference, value: str) -> None:
        raise ZeroDivisionError


async def test_a_defect_in_one_backend_keeps_no_other_secret_old(
    house: House, endpoint: tuple[GuardedEndpoint, str], vault: Vault
) -> None:
    house.plant.backends["ssm"] = Defective()  # type: ignore[index]
    house.plant.secrets.keep([*references_in(house.settings), Reference("ssm", "/a")])
    await asyncio.to_thread(vault.put, "watch/shop", token="second")
    endpoint[0].accept("second")
    with pytest.raises(ZeroDivisionError):
        await house.after(60)
    assert await house.call() == ""


async def test_versions_in_use_are_noted(house: House) -> None:
    await house.after(0)
    seen = house.stores.ledger.all()
    assert seen["vault:secret/watch/shop#token"].version.isdigit()
    assert seen["env:VAULT_OF_TESTS"].version.startswith("~")
    assert ROOT_TOKEN not in repr(seen)


async def test_told_to_hurry_it_looks_before_its_time(
    house: House, endpoint: tuple[GuardedEndpoint, str], vault: Vault
) -> None:
    await asyncio.to_thread(vault.put, "watch/shop", token="second")
    endpoint[0].accept("second")
    house.now += 6
    await house.watch.hurry()
    assert await house.call() == ""


async def test_what_somebody_noted_meanwhile_stays_noted(house: House) -> None:
    await house.after(0)
    reference = Reference("vault", "secret/watch/shop", field="token")
    house.stores.ledger.observe({reference: Secret("second", "1000")}, 5)
    house.stores.ledger.probed(reference, "accepted", 6)
    await house.after(10)
    seen = house.stores.ledger.all()[str(reference)]
    assert (seen.version, seen.probe) == ("1000", "accepted")
