"""Writes the documents that are generated from the code; ``--check`` says which are out of date.

A new generated document is one function and one line in ``GENERATORS``.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import cleandoc
from itertools import groupby
from pathlib import Path
from typing import Any

from typer.main import get_command

from lockgate.app.program import complete
from lockgate.control_plane.console.openapi import document
from lockgate.control_plane.services.duties import COMMANDS, PAGES, Duty
from lockgate.model.privilege import AdminRole
from lockgate.model.reason import Reason
from lockgate.model.reasons import REASONS
from lockgate.pipeline.control import Control
from lockgate.pipeline.order import order
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping

_ABOUT_REASONS = """\
# Reasons

Every way Lockgate says yes or no. A code is never reused. A refused `tools/call` is a tool result
with `isError: true`; any other refusal is a JSON-RPC error with the code below. The HTTP status is
used where the refusal is the whole answer to a POST.

Generated from `src/lockgate/model/reasons.py` by `make docs`; do not edit."""

ROOT = Path(__file__).resolve().parent.parent


def reasons() -> Iterator[str]:
    """``docs/reasons.md``: the reason catalogue, one table an area."""
    yield _ABOUT_REASONS
    by_code = sorted(REASONS.values(), key=lambda r: r.code)
    for area, found in groupby(by_code, key=lambda r: r.code.partition(".")[0]):
        yield ""
        yield f"## {area}"
        yield ""
        yield "| Code | What it says | What would make it pass | JSON-RPC | HTTP |"
        yield "|---|---|---|---|---|"
        yield from (_row(reason) for reason in found)


def _row(reason: Reason) -> str:
    texts = (t.replace("|", r"\|") for t in (reason.says, reason.remedy))
    return f"| `{reason.code}` | {' | '.join(texts)} | {reason.rpc} | {reason.http} |"


_ABOUT_CONTROLS = """\
# Controls

What every call, reply, list and notification is put to, in the order of `pipeline/order.py`. All of
them must say yes; one that fails or stays silent has said no.

Generated from the controls themselves by `make docs`; do not edit."""


def controls() -> Iterator[str]:
    """``docs/controls.md``: each control of the shipped order, in its own words."""
    yield _ABOUT_CONTROLS
    shipped = order(PolicyBundle.compile({}, ArgumentMapping()), {})
    for title, found in (
        ("On calls", shipped.on_call),
        ("On replies", shipped.on_reply),
        ("On lists", shipped.on_list),
        ("On notifications", shipped.on_notice),
    ):
        yield f"\n## {title}"
        for control in found:
            yield from _explained(control)


def _explained(control: Control[Any]) -> Iterator[str]:
    needs = ", ".join(f"`{key.name}`" for key in sorted(control.needs, key=lambda k: k.name))
    yield f"\n### `{control.id}`\n"
    yield cleandoc(type(control).__doc__ or "").replace("``", "`")
    yield f"\nFacts it needs: {needs or 'none'}."


def commands() -> Iterator[str]:
    """``docs/cli.md``: every command's own help."""
    yield _ABOUT_COMMANDS
    root = get_command(complete())
    context = root.context_class(root, info_name="lockgate", terminal_width=100)
    yield from _help(root, context, "lockgate")


_ABOUT_COMMANDS = """\
# Commands

Exit codes: 0 ok, 1 something is wrong (findings), 2 bad usage, 3 refused or unavailable. Every
listing takes `--json`. Tab completion: `lockgate --install-completion`.

Generated from the commands themselves by `make docs`; do not edit."""


def _help(command: Any, context: Any, path: str) -> Iterator[str]:
    text = command.get_help(context)
    yield f"\n## {path}\n\n```text\n{text.rstrip()}\n```"
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        below = inner.context_class(inner, info_name=name, parent=context, terminal_width=100)
        yield from _help(inner, below, f"{path} {name}")


_ABOUT_ROLES = """\
# What takes which admin role

Commands with `admin.enforced: true`, without it none does; pages of the console always.
[admin.md](admin.md) says how roles are had. Any one of the roles named is enough.
Contents are arguments, answers and whom it is about; who did something is told to all whom the
command takes.

Generated from `control_plane/services/duties.py` by `make docs`; do not edit."""


def roles() -> Iterator[str]:
    """``docs/roles.md``: the table of duties."""
    yield _ABOUT_ROLES
    yield "\n| Command | Takes | Contents shown to |\n|---|---|---|"
    yield from _taking(COMMANDS)
    yield "\n`import` takes it to write; `--dry-run` takes none."
    yield "\n| Page of the console | Takes | Contents shown to |\n|---|---|---|"
    yield from _taking(PAGES)
    free = [(name, duty) for name, duty in {**COMMANDS, **PAGES}.items() if not duty.roles]
    yield "\n| Takes none | Since it |\n|---|---|"
    for because in dict.fromkeys(duty.because for _, duty in free):
        names = ", ".join(f"`{name}`" for name, duty in free if duty.because == because)
        yield f"| {names} | {because} |"


def _taking(duties: Mapping[str, Duty]) -> Iterator[str]:
    for name, duty in duties.items():
        if duty.roles:
            contents = _named(duty.contents) if duty.contents else "-"
            yield f"| `{name}` | {_named(duty.roles)} | {contents} |"


def _named(found: tuple[AdminRole, ...]) -> str:
    return " or ".join(f"`{role}`" for role in found)


_ABOUT_API = """\
# The console's API

Below `/console/api/v1`, for programs that act for somebody who is signed in to the console: the
same data, the same [roles](roles.md) as its pages. The description for tools (OpenAPI 3.1) is
`/console/api/v1/openapi.json`.

The session's cookie says who asks. What changes something is sent with
`content-type: application/json` and the header `X-Lockgate-Token`, whose value `GET /session`
tells; it is good until the session gets a new id (409: ask for it again). What goes wrong is told
as `application/problem+json` (RFC 9457). Times are in milliseconds since the Unix epoch. A list
goes on with `cursor`, the `next` of the answer before, until that is null.

Generated from `control_plane/console/api.py` by `make docs`; do not edit."""


def api() -> Iterator[str]:
    """``docs/api.md``: what the OpenAPI document says, for people."""
    yield _ABOUT_API
    said = document()
    schemas = said["components"]["schemas"]
    for path, methods in said["paths"].items():
        for method, one in methods.items():
            yield f"\n## {method.upper()} {path}\n\n{one['summary']}. Answers `{_answer(one)}`."
            takes = " or ".join(f"`{role}`" for role in one["x-lockgate-roles"])
            yield f"Takes {takes or 'no role'}."
            yield from _parameters(one["parameters"])
    yield "\n# What is answered"
    for name, schema in sorted(schemas.items()):
        yield f"\n## {name}\n\n{_on_one_line(schema.get('description', ''))}\n"
        for field, kind in schema.get("properties", {}).items():
            yield f"- `{field}`: {_kind(kind)}"


def _parameters(found: list[dict[str, Any]]) -> Iterator[str]:
    asked = [one for one in found if one["in"] == "query"]
    if asked:
        yield "\n| Parameter | Kind | |\n|---|---|---|"
    for one in asked:
        yield f"| `{one['name']}` | {_kind(one['schema'])} | {one['description']} |"


def _answer(operation: dict[str, Any]) -> str:
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return str(schema["$ref"]).rpartition("/")[2]


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"] if one)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type", "anything"))


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


GENERATORS: dict[str, Callable[[], Iterator[str]]] = {
    "docs/reasons.md": reasons,
    "docs/controls.md": controls,
    "docs/cli.md": commands,
    "docs/roles.md": roles,
    "docs/api.md": api,
}


def stale(root: Path) -> list[str]:
    """The generated documents below ``root`` that are not what the code says."""
    return [name for name in GENERATORS if _read(root / name) != _text(name)]


def write(root: Path) -> None:
    for name in stale(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(name))
        print(f"wrote {name}")


def _text(name: str) -> str:
    return "\n".join(GENERATORS[name]()) + "\n"


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        write(ROOT)
        return 0
    old = stale(ROOT)
    for name in old:
        print(f"{name} is not what the code says: run make docs")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
