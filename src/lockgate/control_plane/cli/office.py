"""What the commands need from outside. ``app`` supplies it, since this room may not import it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import typer

from lockgate.approval.approvers import Approvers
from lockgate.approval.ports import InquiryStore
from lockgate.audit.ports import EventStore
from lockgate.control_plane.services.accounts import AccountStore
from lockgate.control_plane.services.acting import Acting, Actor, EventAppender
from lockgate.control_plane.services.approvals import Approvals
from lockgate.control_plane.services.channels import ChannelDesk
from lockgate.control_plane.services.deployment import Deployment, Machine
from lockgate.control_plane.services.duties import COMMANDS, Duty
from lockgate.control_plane.services.keys import KeyStore
from lockgate.control_plane.services.people import PeopleStore
from lockgate.control_plane.services.privileges import Privileges, Rules
from lockgate.control_plane.services.recovery import RecoveryStore
from lockgate.control_plane.services.relations import RelationStore
from lockgate.control_plane.services.secret_status import SecretDesk
from lockgate.control_plane.services.tokens import RevocationStore
from lockgate.model.problem import Problem


class Records(msgspec.Struct, frozen=True):
    """The opened stores. All block and raise ``model.StoreDown``."""

    keys: KeyStore
    people: PeopleStore
    events: EventStore
    inquiries: InquiryStore
    approvers: Approvers
    """As people, roles and delegations are now."""
    revocations: RevocationStore
    recovery: RecoveryStore
    pepper: bytes
    """What key hashes are keyed with."""
    accounts: AccountStore
    relations: RelationStore


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

    def asks_for_catalogue(self) -> bool:
        """Whether the settings say that somebody else must agree to changes of the configuration.
        Raises ``Misconfigured``."""
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

    def channels(self) -> AbstractContextManager[ChannelDesk]:
        """As ``open``."""
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


def acting_of(office: Office, events: EventAppender) -> Acting:
    """Whoever types. ``events``: where it is put on record."""
    return Acting(actor_of(office), events, office.now_ms, office.random_bytes)


def privileges_of(office: Office, records: Records, actor: Actor | None = None) -> Privileges:
    """``actor``: who, where it is not who types."""
    return Privileges(approvals_of(office, records, actor), office.admin_rules())


def approvals_of(office: Office, records: Records, actor: Actor | None = None) -> Approvals:
    """As whoever types, or ``actor``."""
    return Approvals(records.inquiries, records.events, records.approvers,
                     actor or actor_of(office), office.now_ms, office.random_bytes)  # fmt: skip


def duty_of(ctx: typer.Context) -> Duty:
    """Of the command that is typed."""
    return COMMANDS[ctx.command_path.removeprefix(ctx.find_root().command_path).strip()]


@contextmanager
def records_of(ctx: typer.Context) -> Iterator[Records]:
    """The opened stores, for whoever may run this command. Raises ``Refused`` where roles are
    enforced and whoever types holds none that it takes, and as ``Office.open``."""
    office, duty = office_of(ctx), duty_of(ctx)
    with office.open() as records:
        if duty.roles:
            privileges_of(office, records).require(*duty.roles)
        yield records


def check_role(ctx: typer.Context) -> None:
    """The same for a command that needs no stores, nor opens them where roles are not enforced."""
    if office_of(ctx).admin_rules().enforced:
        with records_of(ctx):
            pass


def sees_contents(ctx: typer.Context, records: Records) -> bool:
    """Whether whoever types may be shown what this command keeps from others."""
    return privileges_of(office_of(ctx), records).holds(duty_of(ctx).contents)
