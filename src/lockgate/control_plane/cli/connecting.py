"""``lockgate connect``: a client's own configuration, so that it goes through the gate."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from lockgate.control_plane.cli.office import Office, office_of
from lockgate.control_plane.cli.output import say, say_json
from lockgate.control_plane.services.client_files import (
    CLIENTS,
    Client,
    Entry,
    place_of,
    project_place_of,
    read_entries,
)  # fmt: skip
from lockgate.control_plane.services.connect import (
    DEFAULT_TRANSPORT,
    Change,
    Transport,
    Wish,
    change,
    snippet,
)  # fmt: skip
from lockgate.control_plane.services.files import back_up, read_text, write_whole
from lockgate.control_plane.services.refused import Refused


def connect(
    ctx: typer.Context,
    client: Annotated[str, typer.Argument(help="claude-desktop, claude-code, cursor or vscode.",
                                          autocompletion=lambda: list(CLIENTS))],
    write: Annotated[bool, typer.Option("--write", help="Write the client's file.")] = False,
    only: Annotated[bool, typer.Option("--only", help="Take all other servers out.")] = False,
    stdio: Annotated[bool | None, typer.Option("--stdio/--http", help="How it talks.")] = None,
    url: Annotated[str, typer.Option(help="The gate, if not the one of lockgate.yaml.")] = "",
    key_file: Annotated[Path | None, typer.Option(help="Your key, for --stdio.")] = None,
    login: Annotated[bool, typer.Option("--login", help="As who signs in; by stdio.")] = False,
    project: Annotated[Path | None, typer.Option(help="Write this project's file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:  # fmt: skip
    """Print, or with --write change, a client's configuration so that it goes through the gate.

    A backup is made first, and everything else in the file stays as it is. Your key is referred
    to, never written into the file. Servers that the client still reaches past the gate are listed.

    \b
    Examples:
      lockgate connect claude-desktop
      lockgate connect cursor --write --key-file ~/.lockgate/key
      lockgate connect vscode --write --project . --only
      lockgate connect claude-desktop --write --login --url https://gate.example/mcp

    Exit codes: 0 done, 2 bad usage, 3 refused.
    """
    if client not in CLIENTS:
        raise typer.BadParameter(f"choose one of {', '.join(CLIENTS)}", param_hint="CLIENT")
    office = office_of(ctx)
    if login and (stdio is False or key_file):
        raise typer.BadParameter("goes with --stdio and without a key", param_hint="--login")
    wish = _wish(office, client, True if login else stdio, url, key_file)
    wish = msgspec.structs.replace(wish, login=login)
    path = (
        project_place_of(wish.client, project) if project else place_of(wish.client, office.machine)
    )
    text, entries = _present(path)
    made = change(text, wish, entries, only=only)
    backup = _write(office, path, made, text) if write else None
    if as_json:
        say_json({"client": client, "file": str(path), "written": write, "entry": snippet(wish),
                  "backup": str(backup) if backup else None, "bypassing": list(made.bypassing),
                  "next": list(made.steps)})  # fmt: skip
        return
    _tell(wish, path, made, backup, written=write)


def _wish(
    office: Office, client: Client, stdio: bool | None, url: str, key_file: Path | None
) -> Wish:
    transport: Transport = DEFAULT_TRANSPORT[client]
    if stdio is not None:
        transport = "stdio" if stdio else "http"
    said = key_file.expanduser() if key_file else office.machine.home / ".lockgate" / "key"
    key = office.machine.folder / said
    return Wish(
        client, transport, url or office.deployment().url, office.program, key,
        transport == "stdio" and key.is_file(),
    )  # fmt: skip


def _present(path: Path) -> tuple[str, tuple[Entry, ...]]:
    if not path.exists():
        return "", ()
    text = read_text(path)
    try:
        return text, read_entries(path)
    except Refused:
        return text, ()  # no servers in it yet; ``change`` says if it is not JSON


def _write(office: Office, path: Path, made: Change, before: str) -> Path | None:
    if made.text == before:
        return None
    moment = datetime.fromtimestamp(office.now_ms() / 1000, UTC)
    backup = back_up(path, moment.strftime("%Y%m%dT%H%M%SZ"))
    write_whole(path, made.text)
    return backup


def _tell(wish: Wish, path: Path, made: Change, backup: Path | None, *, written: bool) -> None:
    if written:
        say(f"wrote {path}", *([f"backup {backup}"] if backup else []))
    else:
        say(f"Put this into {path}, or let --write do it:", "")
        say_json(snippet(wish))
    if made.bypassing:
        say("", f"These servers are still reached past the gate: {', '.join(made.bypassing)}.")
        say(f"Import them (lockgate import {path}), then take them out (--write --only).")
    say("", "Next:")
    for step in made.steps:
        say(f"  {step}")
