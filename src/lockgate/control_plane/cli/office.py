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
from lockgate.model.problem import Problem


class Records(msgspec.Struct, frozen=True):
    """The opened stores. All block and raise ``model.StoreDown``."""

    keys: KeyStore
    events: EventStore
    approvals: ApprovalStore
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

    def has_records(self) -> bool:
        """The gateway or a command has made the stores. Raises ``Misconfigured``."""
        ...

    def open(self) -> AbstractContextManager[Records]:
        """Makes the stores where they do not exist. Raises ``Misconfigured`` or ``StoreDown``."""
        ...

    def now_ms(self) -> int: ...

    def random_bytes(self, count: int) -> bytes: ...

    def pause(self, seconds: float) -> bool:
        """Wait. False: stop following."""
        ...


def office_of(ctx: typer.Context) -> Office:
    return cast("Office", ctx.obj)
