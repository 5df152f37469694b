"""``lockgate import``: a client's servers become upstreams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lockgate.control_plane.cli.office import Office, check_role, office_of, records_of
from lockgate.control_plane.cli.output import FINDINGS, refuse, say, say_graded, say_json
from lockgate.control_plane.cli.proposals import catalogue_of
from lockgate.control_plane.services.adoption import (
    Adopted,
    SecretFile,
    Skipped,
    Surroundings,
    adopt,
    workspace_of,
)  # fmt: skip
from lockgate.control_plane.services.catalogue import keep_secrets
from lockgate.control_plane.services.client_files import read_entries
from lockgate.control_plane.services.config_edit import add_upstreams
from lockgate.control_plane.services.deployment import Deployment
from lockgate.control_plane.services.files import read_text, write_whole
from lockgate.control_plane.services.refused import Misconfigured
from lockgate.control_plane.services.risks import shown


def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The client's configuration file.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, but write nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON. Needs --yes to write.")
    ] = False,
) -> None:
    """Add the MCP servers of a client's configuration as upstreams.

    Reads claude_desktop_config.json, .mcp.json, mcp.json (Cursor, VS Code), .claude.json and VS
    Code's settings.json. Shows the exact command of every program and what is risky about it
    before anything is written. Secrets in the file move into private files under the data
    directory, and lockgate.yaml refers to them. The client's own file is left as it is.

    \b
    Examples:
      lockgate import ~/.cursor/mcp.json --dry-run
      lockgate import .vscode/mcp.json
      lockgate import claude_desktop_config.json --yes

    Exit codes: 0 imported or nothing to do, 1 some servers could not be imported, 2 bad usage,
    3 refused.
    """
    office = office_of(ctx)
    deployment = office.deployment()
    around = Surroundings(
        str(office.machine.home), str(workspace_of(file)), _secrets_name(deployment), deployment.url
    )
    adopted, skipped = adopt(read_entries(file), deployment.upstreams, around)
    text = add_upstreams(read_text(office.config), [a.plan for a in adopted]) if adopted else ""
    if text:
        _check(office, text)
    asks = office.asks_for_catalogue()
    if not as_json:
        _show(adopted, skipped)
    wanted = bool(adopted) and not dry_run and (yes or (not as_json and _agreed(adopted)))
    asked = ""
    if wanted:
        check_role(ctx)
        asked = _put(ctx, office, adopted, text) if asks else ""
        if not asks:
            _write(office, deployment, adopted, text)
    if as_json:
        say_json({"imported": [_json(a) for a in adopted], "asked": asked,
                  "written": wanted and not asks,
                  "skipped": [{"name": s.entry, "why": s.why} for s in skipped]})  # fmt: skip
    elif wanted:
        _tell(office, asked)
    if any("already" not in s.why and "disabled" not in s.why for s in skipped):
        raise typer.Exit(FINDINGS)


def _tell(office: Office, asked: str) -> None:
    if asked:
        say("", f"asked: {asked}", f"Somebody else now runs: lockgate approvals approve {asked}",
            f"Then, here: lockgate approvals apply {asked}")  # fmt: skip
        return
    say("", f"wrote {office.config}", "The client still reaches these servers directly "
        "until you change its file: lockgate connect CLIENT --write --only")  # fmt: skip


def _check(office: Office, text: str) -> None:
    problems = office.check(text)
    if problems:
        raise Misconfigured(problems)


def _agreed(adopted: Sequence[Adopted]) -> bool:
    risky = any(risk.level == "danger" for one in adopted for risk in one.risks)
    question = (
        "Some of this is dangerous. Add it all the same?" if risky else "Add these upstreams?"
    )
    try:
        agreed = typer.confirm(f"\n{question}", default=False)
    except typer.Abort:
        refuse(
            "Nobody answered, so nothing was written.", "Give --yes to write without a question."
        )
    if not agreed:
        refuse("Nothing was written.")
    return True


def _write(office: Office, deployment: Deployment, adopted: Sequence[Adopted], text: str) -> None:
    keep_secrets(deployment.secrets_dir, [s for one in adopted for s in one.secrets])
    write_whole(office.config, text)


def _put(ctx: typer.Context, office: Office, adopted: Sequence[Adopted], text: str) -> str:
    """Ask for it. The question's id."""
    with records_of(ctx) as records:
        secrets = [s for one in adopted for s in one.secrets if s.value]
        return catalogue_of(office, records).propose(text, secrets).id


def _secrets_name(deployment: Deployment) -> str:
    """The secrets directory, as short as the configuration file may write it."""
    folder = deployment.config.absolute().parent
    directory = deployment.secrets_dir
    inside = directory.is_relative_to(folder)
    return str(directory.relative_to(folder) if inside else directory)


def _show(adopted: Sequence[Adopted], skipped: Sequence[Skipped]) -> None:
    for one in adopted:
        _show_one(one)
    for left in skipped:
        say("", left.entry, f"  skipped  {left.why}")
    if not adopted:
        say("", "There is nothing to import.")


def _show_one(one: Adopted) -> None:
    plan = one.plan
    reached = f"  starts   {shown(plan.argv)}" if plan.argv else f"  calls    {plan.url}"
    say("", plan.name, reached)
    named = [("in", plan.cwd)] if plan.cwd else []
    named += [("env", f"{name}: {value}") for name, value in plan.env.items()]
    named += [("header", f"{name}: {value}") for name, value in plan.headers.items()]
    named += [("secret", _whereto(secret)) for secret in one.secrets]
    named += [("note", note) for note in one.notes]
    for kind, text in named:
        say(f"  {kind:<8} {text}")
    for risk in one.risks:
        say_graded(risk.level, risk.says, indent="  ")


def _whereto(secret: SecretFile) -> str:
    if secret.value:
        return f"moves to the file {secret.name} of the secrets directory"
    return f"put it into the file {secret.name} of the secrets directory (chmod 600)"


def _json(one: Adopted) -> dict[str, object]:
    return {
        "name": one.plan.name, "entry": one.entry, "command": list(one.plan.argv),
        "url": one.plan.url, "env": dict(one.plan.env), "headers": dict(one.plan.headers),
        "cwd": one.plan.cwd, "notes": list(one.notes), "secrets": [s.name for s in one.secrets],
        "risks": [{"level": r.level, "says": r.says} for r in one.risks],
    }  # fmt: skip
