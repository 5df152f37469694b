"""``lockgate secrets``: how old each is, whether it works, and a new one in its place."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import Office, acting_of, check_role, office_of
from lockgate.control_plane.cli.output import FINDINGS, say, say_graded, say_json, say_table
from lockgate.control_plane.services.files import read_text
from lockgate.control_plane.services.keys import DAY_MS
from lockgate.control_plane.services.rotation import Probed, Rotated, Rotation
from lockgate.control_plane.services.secret_status import (
    Proof,
    SecretDesk,
    Status,
    status_of,
    wrong,
)

secrets = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                      help="See, probe and rotate secrets.")  # fmt: skip

_SAYS = {
    "proven": "The new credential is accepted, the old one is refused.",
    "old still accepted": "THE OLD CREDENTIAL STILL WORKS. Revoke it where it was issued.",
    "unproven": "The new value is in place. Nothing proves that the old one fails.",
    "new refused": "The new credential is refused, and so is the old one.",
    "restored": "The new credential was refused, so the old one, which works, was put back.",
}


@secrets.command()
def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every secret that the configuration names: its version, its age, who uses it.

    Reads each of them, and shows none. Run it as the gateway's user and with its environment. What
    has no known age counts as overdue (secrets.max_age_days says how old each may be).

    \b
    Examples:
      lockgate secrets status
      lockgate secrets status --json

    Exit codes: 0 all are well, 1 one is overdue or cannot be read, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    check_role(ctx)
    with office.secrets() as desk:
        found = status_of(desk, office.now_ms())
    if as_json:
        say_json([_json(one) for one in found])
    elif found:
        _show(found, office.now_ms())
    else:
        say("The configuration names no secret.", err=True)
    if wrong(found):
        raise typer.Exit(FINDINGS)


@secrets.command()
def probe(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(help="As the configuration writes it.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every secret.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read a secret, and ask each HTTP upstream that uses it something harmless with it.

    accepted: it answered. (A server that asks for no credential accepts any.) For programs and
    databases, nothing but reading it can be tried. Each probe is in the journal.

    \b
    Examples:
      lockgate secrets probe vault:kv/github#token
      lockgate secrets probe --all --json

    Exit codes: 0 accepted or read, 1 refused, out of reach or unreadable, 2 bad usage, 3 refused
    by Lockgate.
    """
    if bool(reference) == everything:
        raise typer.BadParameter("give either a reference or --all", param_hint="REFERENCE")
    office = office_of(ctx)
    check_role(ctx)
    with office.secrets() as desk:
        service = _service(office, desk)
        wanted = sorted(desk.uses, key=str) if everything else [service.find(reference)]
        found = [service.probe(one) for one in wanted]
    if as_json:
        say_json([_probed_json(one) for one in found])
    else:
        for one in found:
            _show_probed(one)
    if any(one.wrong for one in found):
        raise typer.Exit(FINDINGS)


@secrets.command()
def rotate(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(help="As the configuration writes it.")],
    file: Annotated[Path | None, typer.Option(help="Holds the new value; else stdin.")] = None,
    wait: Annotated[
        int, typer.Option(min=0, max=3600, help="Seconds to wait for the old one to fail.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put a new value in a secret's place, and prove that the old one has ended.

    Have the new credential issued first. It is written to the file, keyring, vault, parameter or
    AWS secret; then each HTTP upstream that uses it is asked with the new one, and with the old
    one, which must be refused. Where an upstream refuses the new one and takes the old one, the old
    one is put back. Running gateways use the new one within a minute.

    \b
    Examples:
      lockgate secrets rotate vault:kv/github#token < new-token
      lockgate secrets rotate file:/run/secrets/shop --file new-token --wait 60

    Exit codes: 0 proven, 1 not proven (the old one still works, the new one is refused, or nothing
    could be asked), 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    check_role(ctx)
    with office.secrets() as desk:
        service = _service(office, desk)
        found = service.find(reference)
        done = service.rotate(found, _new_value(file), float(wait))
    if as_json:
        say_json(_rotated_json(done))
    else:
        _show_rotated(done)
    if done.result != "proven":
        raise typer.Exit(FINDINGS)


def _service(office: Office, desk: SecretDesk) -> Rotation:
    return Rotation(desk, acting_of(office, desk.events), office.pause)


def _new_value(file: Path | None) -> str:
    if file is not None:
        text = read_text(file.expanduser())
    elif sys.stdin.isatty():
        text = typer.prompt("New value", hide_input=True, confirmation_prompt=True, err=True)
    else:
        text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")


def _show(found: tuple[Status, ...], now: int) -> None:
    say_table(
        ("SECRET", "STATE", "VERSION", "AGE", "MAX", "USED BY", "LAST PROBE"),
        [(str(one.reference), one.state, one.version or "-", _age(one.made, now),
          f"{one.max_age_days}d", ", ".join(_users(one)), _probe(one)) for one in found],
    )  # fmt: skip
    for one in found:
        if one.detail:
            say(f"{one.reference}: {one.detail}.")


def _users(one: Status) -> tuple[str, ...]:
    return tuple(dict.fromkeys(use.upstream or use.setting for use in one.uses))


def _age(made: int, now: int) -> str:
    return f"{max(0, now - made) // DAY_MS}d" if made else "unknown"


def _probe(one: Status) -> str:
    return f"{one.probe} {timestamp(one.probed)[:10]}" if one.probed else "never"


def _show_probed(one: Probed) -> None:
    lines = [f"{p.upstream}: {p.outcome}{f' ({p.detail})' if p.detail else ''}" for p in one.proofs]
    if one.failing:
        lines = [one.failing]
    grade = "fail" if one.wrong else "ok"
    say_graded(grade, f"{one.reference}: {one.result}", *lines)


def _show_rotated(done: Rotated) -> None:
    for word, proofs in (("new", done.new), ("old", done.old)):
        for proof in proofs:
            detail = f" ({proof.detail})" if proof.detail else ""
            say(f"{proof.upstream}: the {word} one is {proof.outcome}{detail}")
    say_graded("ok" if done.result == "proven" else "fail", _SAYS[done.result])


def _json(one: Status) -> dict[str, object]:
    return {
        "reference": str(one.reference), "backend": one.reference.place, "state": one.state,
        "detail": one.detail, "version": one.version, "made": _time(one.made),
        "first_seen": _time(one.first_seen), "max_age_days": one.max_age_days,
        "consumers": [{"setting": u.setting, "upstream": u.upstream or None} for u in one.uses],
        "probed": _time(one.probed), "probe": one.probe or None,
    }  # fmt: skip


def _probed_json(one: Probed) -> dict[str, object]:
    return {"reference": str(one.reference), "result": one.result, "failing": one.failing or None,
            "proofs": _proofs_json(one.proofs)}  # fmt: skip


def _rotated_json(done: Rotated) -> dict[str, object]:
    return {"reference": str(done.reference), "result": done.result, "version": done.version,
            "new": _proofs_json(done.new), "old": _proofs_json(done.old)}  # fmt: skip


def _proofs_json(proofs: tuple[Proof, ...]) -> list[dict[str, str]]:
    return [{"upstream": p.upstream, "outcome": p.outcome, "detail": p.detail} for p in proofs]


def _time(moment: int) -> str | None:
    return timestamp(moment) if moment else None
