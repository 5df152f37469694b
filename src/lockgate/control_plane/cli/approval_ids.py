"""Ids of questions for the shell's tab completion."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import typer

from lockgate.control_plane.cli.office import Office, approvals_of, privileges_of
from lockgate.control_plane.services.approvals import mine
from lockgate.control_plane.services.plain_text import visible
from lockgate.control_plane.services.refused import Misconfigured, Refused
from lockgate.model import EventRefused, StoreDown
from lockgate.model.privilege import AdminRole

LOOKS: tuple[AdminRole, ...] = ("reader", "approver")
"""Who sees what is for others to answer."""


def waiting_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """With what each is about. Empty where anything is in the way: a prompt is no place to say so.

    While a shell completes, no command runs: the root's object is still the factory of offices.
    """
    root = ctx.find_root()
    made = root.obj
    if callable(made):
        config = root.params.get("config_file")
        made = cast("Callable[[Path], Office]", made)(config or Path("lockgate.yaml"))
    try:
        return _waiting(cast("Office", made), incomplete)
    except (Refused, Misconfigured, StoreDown, EventRefused, OSError):
        return []


def _waiting(office: Office, incomplete: str) -> list[tuple[str, str]]:
    if not office.has_records():
        return []
    with office.open() as records:
        found = approvals_of(office, records).waiting()
        if not privileges_of(office, records).holds(LOOKS):
            found = mine(found)
    named = (one.asked.inquiry for one in found)
    return [(one.id, visible(one.title)) for one in named if one.id.startswith(incomplete)]
