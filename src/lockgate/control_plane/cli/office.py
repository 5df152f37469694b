"""What the commands need from outside. ``app`` supplies it, since this room may not import it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import typer

from lockgate.audit.ports import EventStore
from lockgate.control_plane.services.accounts import AccountStore
from lockgate.control_plane.services.approvals import ApprovalStore
from lockgate.control_plane.services.deployment import Deployment, Machine
from lockgate.control_plane.services.keys import KeyStore
from lockgate.control_plane.services.people import PeopleStore
from lockgate.control_plane.services.privileges import Actor, Privileges, PrivilegeStore, Rules
from lockgate.control_plane.services.recovery import RecoveryStore
from lockgate.control_plane.services.secret_status import SecretDesk
from lockgate.control_plane.services.tokens import RevocationStore
from lockgate.model.privilege import AdminRole
from lockgate.model.problem import Problem


class Records(msgspec.Struct, frozen=True):
    """The opened stores. All block and raise ``model.StoreDown``."""

    keys: KeyStore
    people: PeopleStore
    events: EventStore
    approvals: ApprovalStore
    revocations: RevocationStore
    privileges: PrivilegeStore
    recovery: RecoveryStore
    pepper: bytes
    """What key hashes are keyed with."""
    accounts: AccountStore


class PoliciesSeen(msgspec.Struct, frozen=True):
    count: int
    problems: tuple[Problem, ...] = ()


class Office(Protocol):
    """One deployment, seen from the command line. Making one reads nothing yet."""

    @property
    def config(self) -> Path:
        """The configuration file, whether it exists or not."""
        ...

    @property
    def machine(self) -> Machine: ...

    @property
    def program(self) -> tuple[str, ...]:
        """How another program starts ``lockgate``: absolute path, then any arguments."""
        ...

    def check(self, text: str | None = None) -> tuple[Problem, ...]:
        """What is wrong with the configuration file, or with ``text`` in its place."""
        ...

    def check_policies(self) -> PoliciesSeen:
        """Raises ``Misconfigured``."""
        ...

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the configuration file."""
        ...

    def deployment(self) -> Deployment:
        """Raises ``Misconfigured``."""
        ...

    def admin_rules(self) -> Rules:
        """Raises ``Misconfigured``."""
        ...

    def has_records(self) -> bool:
        """The gateway or a command has made the stores. Raises ``Misconfigured``."""
        ...

    def open(self) -> AbstractContextManager[Records]:
        """Makes the stores where they do not exist. Raises ``Misconfigured`` or ``StoreDown``."""
        ...

    def issuers(self) -> Mapping[str, str]:
        """URL of each issuer, by the name the configuration gives it. Raises ``Misconfigured``."""

    def secrets(self) -> AbstractContextManager[SecretDesk]:
        """Likewise."""
        ...

    def now_ms(self) -> int: ...

    def random_bytes(self, count: int) -> bytes: ...

    def pause(self, seconds: float) -> bool:
        """Wait. False: stop following."""
        ...


def office_of(ctx: typer.Context) -> Office:
    return cast("Office", ctx.obj)


def actor_of(office: Office) -> Actor:
    """Who types: no option and no variable can claim to be somebody else."""
    machine = office.machine
    identity = office.admin_rules().identity_of(machine.person)
    return Actor(identity, "cli", machine.user)


def privileges_of(office: Office, records: Records, actor: Actor | None = None) -> Privileges:
    """``actor``: who, where it is not who types."""
    return Privileges(records.privileges, records.events, office.admin_rules(),
                      actor or actor_of(office), office.now_ms, office.random_bytes)  # fmt: skip


def must_hold(office: Office, records: Records, role: AdminRole) -> None:
    """Raises ``Refused`` where roles are enforced and whoever types does not hold this one."""
    privileges_of(office, records).require(role)


def must_hold_to_edit(office: Office, role: AdminRole) -> None:
    """The same before a file is changed, where no stores are open or even needed."""
    if office.admin_rules().enforced:
        with office.open() as records:
            must_hold(office, records, role)
