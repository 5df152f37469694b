from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from lockgate.app.provisioning import Provisioning, Watch, people_of, scim_door
from lockgate.app.scim_door import ScimDoor
from lockgate.app.settings import Settings
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.reading import Reading
from lockgate.model.person import DirectoryDown, Listed
from lockgate.model.reference import ReferenceBroken
from support.asgi import Visit
from support.house import House

SECRET = "s" * 32


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    stores = open_stores(tmp_path / "data")
    yield Plant(stores, Settings())
    stores.engine.dispose()


def settings(tmp_path: Path, secret: str = SECRET, **listen: object) -> Settings:
    (tmp_path / "secret").write_text(secret)
    people = {"scim_secrets": (f"file:{tmp_path}/secret",)}
    return Settings.model_validate({"people": people, "listen": listen})


def refused(reason: str, peer: str) -> None:
    raise AssertionError(reason)


def door_of(plant: Plant, settings: Settings) -> ScimDoor:
    door = scim_door(plant, settings, refused)
    assert door is not None
    return door


def test_scim_is_off_by_default(plant: Plant) -> None:
    assert scim_door(plant, Settings(), refused) is None


@pytest.mark.parametrize("secret", ["s" * 31, "s" * 40 + "\n\n", "é" * 40, ""])
def test_a_secret_that_could_be_guessed_is_refused(
    plant: Plant, tmp_path: Path, secret: str
) -> None:
    with pytest.raises(ReferenceBroken) as caught:
        scim_door(plant, settings(tmp_path, secret), refused)
    assert "sss" not in str(caught.value)


async def test_what_is_written_is_known_here_before_it_is_answered(
    plant: Plant, tmp_path: Path
) -> None:
    door = door_of(plant, settings(tmp_path, behind_tls_proxy=True, hosts=("gate.example",)))
    said = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "alice"}
    visit = Visit("POST", "/scim/v2/Users",
                  {"authorization": f"Bearer {SECRET}", "host": "gate.example"},
                  orjson.dumps(said))  # fmt: skip
    await door.serve(visit.exchange, 10_000, 5)
    assert visit.status == 201
    assert visit.headers["location"].startswith("https://gate.example/scim/v2/Users/")
    (alice,) = plant.directory.named("alice")
    assert alice.active
    (row,) = plant.stores.events.tail(5)
    actor = {"identity": "identity provider", "via": "scim"}
    assert orjson.loads(row.event.slots["actor"]) == actor


def test_people_are_those_of_the_stores(plant: Plant) -> None:
    people_of(plant, Actor("opal", "cli")).set_active("bob", False)
    plant.directory.refresh(1)
    assert not plant.directory.named("bob")[0].active


HQ = {"url": "ldap://127.0.0.1:1", "base": "dc=example", "bind_dn": "cn=x"}


def reading_of(plant: Plant) -> Reading:
    return Reading(people_of(plant, Actor("directory hq", "ldap")), "ldap:hq")


def test_one_worker_reads_a_directory_when_it_is_due(plant: Plant) -> None:
    asked: list[str] = []

    def read(who: str) -> tuple[Listed, ...]:
        asked.append(who)
        return (Listed("alice"),)

    one = Watch(plant, reading_of(plant), lambda: read("one"), 1_000)
    other = Watch(plant, reading_of(plant), lambda: read("other"), 1_000)
    for at in (10_000, 10_500, 10_999, 11_000):
        one.look(at)
        other.look(at)
    assert asked == ["one", "one"]
    assert [p.user_name for p in plant.directory.named("alice")] == ["alice"]
    assert plant.directory.heard("ldap:hq") == 11_000


def test_a_reading_that_fails_is_not_heard_and_changes_nothing(plant: Plant) -> None:
    def fails() -> tuple[Listed, ...]:
        raise DirectoryDown("no answer")

    Watch(plant, reading_of(plant), lambda: (Listed("alice"),), 1_000).look(10_000)
    with pytest.raises(DirectoryDown):
        Watch(plant, reading_of(plant), fails, 1_000).look(12_000)
    plant.directory.refresh(1)
    assert plant.directory.heard("ldap:hq") == 10_000
    assert plant.directory.named("alice")[0].active


async def test_settings_say_which_directories_are_read(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("reader-password")
    hq = {**HQ, "password": f"file:{tmp_path}/p"}
    made = Settings.model_validate({"people": {"ldap": {"hq": hq}}})
    ingress = House().ingress
    provisioning = Provisioning(plant, ingress, refused)
    await provisioning.read()
    provisioning.built(made)()
    with pytest.raises(DirectoryDown, match="hq"):
        await provisioning.read()
    provisioning.built(settings(tmp_path))()
    await provisioning.read()
    assert ingress.scim is not None
    provisioning.built(Settings())()
    assert ingress.scim is None


def test_what_cannot_be_built_changes_nothing(plant: Plant, tmp_path: Path) -> None:
    ingress = House().ingress
    provisioning = Provisioning(plant, ingress, refused)
    provisioning.built(settings(tmp_path))()
    held = ingress.scim
    hq = {**HQ, "password": "env:NOT_SET_ANYWHERE"}
    with pytest.raises(ReferenceBroken):
        provisioning.built(Settings.model_validate({"people": {"ldap": {"hq": hq}}}))
    assert ingress.scim is held
