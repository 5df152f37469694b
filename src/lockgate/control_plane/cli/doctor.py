"""``lockgate doctor``: what is wrong and how to mend it."""

from typing import Annotated

import msgspec
import typer

from lockgate.control_plane.cli.office import Office, office_of
from lockgate.control_plane.cli.output import FINDINGS, say, say_graded, say_json
from lockgate.control_plane.services.doctor import Observations, diagnose, worst
from lockgate.control_plane.services.observe import (
    see_clients,
    see_dates,
    see_path,
    see_port,
    see_secrets,
    see_upstream,
)  # fmt: skip
from lockgate.control_plane.services.refused import Misconfigured
from lockgate.model import KeyRecord, StoreDown


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at everything Lockgate needs on this machine, and say how to mend what is wrong.

    Configuration, policies, file permissions, certificates, the port, each upstream's program or
    host, keys, and MCP clients that reach servers past the gate. Changes nothing. Run it as the
    gateway's user.

    \b
    Examples:
      lockgate doctor
      lockgate doctor --json

    Exit codes: 0 nothing is broken (there may be warnings), 1 something is, 2 bad usage.
    """
    checks = diagnose(gather(office_of(ctx)))
    grade = worst(checks)
    if as_json:
        say_json({"grade": grade, "checks": [msgspec.to_builtins(c) for c in checks]})
    else:
        for check in checks:
            remedy = [check.remedy] if check.remedy else []
            say_graded(check.grade, f"{check.name}: {check.says}", *remedy)
        say("", {"ok": "All is well.", "warn": "It works; see the warnings.",
             "fail": "Something is broken."}[grade])  # fmt: skip
    if grade == "fail":
        raise typer.Exit(FINDINGS)


def gather(office: Office) -> Observations:
    """Everything the checks judge. Changes nothing, also makes no store."""
    seen = Observations(str(office.config), office.now_ms(), office.check())
    try:
        deployment = office.deployment()
        policies = office.check_policies()
    except Misconfigured as error:
        problems = seen.problems or error.problems
        return msgspec.structs.replace(
            seen, problems=problems, clients=see_clients(office.machine, "")
        )
    keys, trouble = _keys(office)
    return msgspec.structs.replace(
        seen,
        policy_problems=policies.problems,
        policy_count=policies.count,
        data_dir=see_path(deployment.data_dir),
        secrets=see_secrets(deployment),
        dates=see_dates(deployment.tls),
        port=see_port(deployment.host, deployment.port, tls=deployment.tls is not None)
        if deployment.port
        else None,
        upstreams=tuple(see_upstream(plan, office.machine) for plan in deployment.upstreams),
        keys=keys,
        store_trouble=trouble,
        clients=see_clients(office.machine, deployment.url),
    )


def _keys(office: Office) -> tuple[tuple[KeyRecord, ...], str]:
    if not office.has_records():
        return (), ""
    try:
        with office.open() as records:
            return records.keys.list(), ""
    except StoreDown as error:
        return (), f"The store cannot be read: {error}."
