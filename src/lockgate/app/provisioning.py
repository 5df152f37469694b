"""Where what is known of people comes in: written by an identity provider, or read by us."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from lockgate.app.front import outer_scheme
from lockgate.app.ingress_http import Ingress
from lockgate.app.scim_door import SHORTEST_SECRET, ScimDoor
from lockgate.app.settings import Settings
from lockgate.app.settings_people import LdapSettings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import loaded
from lockgate.app.supervision import every
from lockgate.app.wiring import Plant
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.people import People
from lockgate.control_plane.services.reading import Reading
from lockgate.model.person import LDAP, Listed
from lockgate.model.reference import ReferenceBroken

SCIM_ENDPOINT = "lockgate.control_plane.scim.endpoint"
LDAP_READER = "lockgate.identity.ldap"
TRY_SECONDS = 1.0
"""From one look whether a directory is due to the next. One worker of all reads it then."""


class Watch:
    """One directory that is read again and again, by whichever worker has the turn."""

    def __init__(
        self, plant: Plant, reading: Reading, read: Callable[[], tuple[Listed, ...]], every: int
    ) -> None:
        self._plant = plant
        self._reading = reading
        self._read = read
        self._every = every

    def look(self, now: int) -> None:
        """Read it where it is due. Blocks; raises ``DirectoryDown`` and ``StoreDown``."""
        store, source = self._plant.stores.people, self._reading.source
        if not store.claim(source, now, self._every):
            return
        self._reading.take(self._read())
        store.hear(source, now)  # as of when the reading began
        self._plant.ring.refresh(now_ms())
        self._plant.directory.refresh(now_ms())


class Provisioning:
    """``ingress``: where SCIM comes in."""

    def __init__(self, plant: Plant, ingress: Ingress, refused: Callable[[str, str], None]) -> None:
        self._plant = plant
        self._ingress = ingress
        self._refused = refused
        self._watches: tuple[Watch, ...] = ()

    def built(self, settings: Settings) -> Callable[[], None]:
        """Raises ``ReferenceBroken``; else what puts it in force, and cannot fail."""
        door = scim_door(self._plant, settings, self._refused)
        watches = tuple(
            ldap_watch(self._plant, name, one) for name, one in settings.people.ldap.items()
        )

        def put() -> None:
            self._ingress.scim = door
            self._watches = watches

        return put

    def task(self) -> Coroutine[Any, Any, None]:
        """What runs as long as the gateway."""
        return every(TRY_SECONDS, "reading directories", self.read)

    async def read(self) -> None:
        """Each directory that is due. Raises ``DirectoryDown`` for the first of those that failed,
        when all were tried."""
        reading = (asyncio.to_thread(watch.look, now_ms()) for watch in self._watches)
        for failed in await asyncio.gather(*reading, return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed


def people_of(plant: Plant, actor: Actor) -> People:
    stores = plant.stores
    acting = Acting(actor, stores.events, now_ms, secrets.token_bytes)
    return People(stores.people, stores.keys, acting)


def scim_door(
    plant: Plant, settings: Settings, refused: Callable[[str, str], None]
) -> ScimDoor | None:
    """None where SCIM is off. Raises ``ReferenceBroken``, also for a secret that is too short."""
    if not settings.people.scim_secrets:
        return None
    shown = tuple(_secret(plant, reference) for reference in settings.people.scim_secrets)

    def written() -> None:
        """This worker knows before the identity provider has its answer; others soon after."""
        plant.ring.refresh(now_ms())
        plant.directory.refresh(now_ms())

    people = people_of(plant, Actor("identity provider", "scim"))
    endpoint = loaded(SCIM_ENDPOINT).ScimEndpoint(people, written)
    return ScimDoor(endpoint, shown, outer_scheme(settings), refused)


def ldap_watch(plant: Plant, name: str, one: LdapSettings) -> Watch:
    """Raises ``ReferenceBroken``, also where the extra ``lockgate[ldap]`` is not installed."""
    try:
        reader = loaded(LDAP_READER)
    except ModuleNotFoundError as missing:
        raise ReferenceBroken(
            f"people.ldap needs {missing.name}; install lockgate[ldap]"
        ) from missing
    directory = reader.LdapDirectory(
        reader.LdapTarget(
            name=name,
            url=one.url,
            start_tls=one.start_tls,
            ca_file=str(Path(one.ca_file)) if one.ca_file else "",
            bind_dn=one.bind_dn,
            password=plant.resolved(one.password) if one.password else "",
            base=one.base,
            people=one.filter,
            inactive=one.inactive or "",
            user_name=one.user_name,
            external_id=one.external_id,
            member_of=one.member_of,
            employee=one.employee,
        )
    )
    people = people_of(plant, Actor(f"directory {name}", "ldap"))
    reading = Reading(people, LDAP + name)
    return Watch(plant, reading, directory.read, int(one.poll_seconds * 1000))


def _secret(plant: Plant, reference: str) -> str:
    found = plant.resolved(reference)
    if len(found) < SHORTEST_SECRET or not found.isascii() or not found.isprintable():
        raise ReferenceBroken(
            f"{reference} must hold at least {SHORTEST_SECRET} plain characters; "
            "make one with: openssl rand -base64 33"
        )
    return found
