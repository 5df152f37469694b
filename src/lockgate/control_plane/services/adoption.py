"""Turns a client's server entries into upstreams. Pure: what is to be written is a value.

A client's variables become references where that keeps their meaning; a secret that stands in the
client's file becomes a file of its own.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.control_plane.services.client_files import Entry
from lockgate.control_plane.services.deployment import UpstreamPlan
from lockgate.control_plane.services.risks import Risk, find_risks, find_url_risks
from lockgate.model.reference import (
    ReferenceBroken,
    looks_secret,
    parse_reference,
)

_NAME_LENGTH = 32
_VARIABLE = re.compile(r"\$\{(?P<body>[^}]*)\}")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9-]*) (?P<rest>\S.*)", re.S)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretFile(msgspec.Struct, frozen=True):
    """A secret to be put into a private file. Its value is kept out of ``repr``."""

    name: str
    """Below the deployment's secrets directory."""
    value: str
    """Empty: the operator has to put it there."""

    def __repr__(self) -> str:
        return f"SecretFile({self.name!r})"


class Adopted(msgspec.Struct, frozen=True):
    """One entry that becomes an upstream."""

    entry: str
    plan: UpstreamPlan
    secrets: tuple[SecretFile, ...] = ()
    notes: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()


class Skipped(msgspec.Struct, frozen=True):
    entry: str
    why: str


class Untranslatable(Exception):
    """A value means something only the client knows."""


class Surroundings(msgspec.Struct, frozen=True):
    """What variables of the client stand for."""

    home: str
    workspace: str
    secrets: str
    """Directory of secret files, as ``lockgate.yaml`` is to name it."""
    gate: str
    """URL of the gate itself."""


def adopt(
    entries: Sequence[Entry], existing: Sequence[UpstreamPlan], around: Surroundings
) -> tuple[tuple[Adopted, ...], tuple[Skipped, ...]]:
    """Every entry comes back once: adopted, or skipped with the reason."""
    taken = {plan.name: plan for plan in existing}
    adopted: list[Adopted] = []
    skipped: list[Skipped] = []
    for entry in entries:
        try:
            one = _adopt(entry, taken, around)
        except Untranslatable as error:
            skipped.append(Skipped(entry.name, str(error)))
            continue
        taken[one.plan.name] = one.plan
        adopted.append(one)
    return tuple(adopted), tuple(skipped)


def _adopt(entry: Entry, taken: Mapping[str, UpstreamPlan], around: Surroundings) -> Adopted:
    if entry.trouble:
        raise Untranslatable(entry.trouble)
    if entry.leads_to(around.gate):
        raise Untranslatable("it already goes through Lockgate")
    if entry.disabled:
        raise Untranslatable("it is disabled in that file")
    work = _Work(around)
    wanted = _upstream_name(entry.name)
    argv = tuple(work.plain(part) for part in (entry.command, *entry.args) if entry.command)
    same = _same(taken, argv, entry.url)
    if same:
        raise Untranslatable(f"it is an upstream already: {same}")
    name = _free_name(wanted, taken)
    if name != entry.name:
        clash = " because another upstream has that name" if name != wanted else ""
        work.notes.append(f"is called {name} here{clash}")
    plan = UpstreamPlan(
        name, argv, work.value(f"{name}-url", "url", entry.url) if entry.url else "",
        {n: work.value(f"{name}-{n}", n, v) for n, v in entry.env.items()},
        {n: work.value(f"{name}-{n}", n, v) for n, v in entry.headers.items()},
        work.plain(entry.cwd),
    )  # fmt: skip
    risks = find_risks(argv, plan.env) if argv else find_url_risks(entry.url)
    return Adopted(entry.name, plan, tuple(work.secrets), tuple(work.notes), risks)


class _Work:
    """Collects what one entry's values need beside themselves."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.secrets: list[SecretFile] = []
        self.notes: list[str] = []

    def plain(self, text: str) -> str:
        """A value that can hold no reference: arguments and directories."""
        return _VARIABLE.sub(self._expand, text)

    def value(self, file: str, name: str, text: str) -> str:
        """A value that may be a reference."""
        found = _SCHEME.fullmatch(text)
        before, body = (f"{found['scheme']} ", found["rest"]) if found else ("", text)
        variable = _VARIABLE.fullmatch(body)
        if variable:
            return self._variable(variable["body"], before, file)
        if _VARIABLE.search(text):
            expanded = self.plain(text)
            return expanded if not _begins_like_reference(expanded) else f"text:{expanded}"
        if looks_secret(name, text):
            return self._secret_file(file, before if name.lower() == "authorization" else "", text)
        return f"text:{text}" if _begins_like_reference(text) else text

    def _secret_file(self, file: str, before: str, text: str) -> str:
        safe = re.sub(r"[^A-Za-z0-9._-]", "-", file)
        self.secrets.append(SecretFile(safe, text.removeprefix(before)))
        return f"{before}file:{self._around.secrets}/{safe}"

    def _variable(self, body: str, before: str, file: str) -> str:
        kind, _, rest = body.partition(":")
        if kind == "input":
            return self._secret_file(file, before, "")
        name = rest if kind == "env" else body.partition(":-")[0]
        if body in ("userHome", "HOME", "workspaceFolder", "pathSeparator", "/"):
            return before + self._known(body)
        if not _NAME.fullmatch(name):
            raise Untranslatable(f"it uses ${{{body}}}, which only that client knows")
        if ":-" in body:
            self.notes.append(f"has no default for {name} any more: set it for the gateway")
        return f"{before}env:{name}"

    def _expand(self, found: re.Match[str]) -> str:
        return self._known(found["body"])

    def _known(self, body: str) -> str:
        if body in ("userHome", "HOME", "env:HOME"):
            return self._around.home
        if body == "workspaceFolder":
            self.notes.append(f"takes {self._around.workspace} as its workspace folder")
            return self._around.workspace
        if body in ("pathSeparator", "/"):
            return "/"
        raise Untranslatable(f"it uses ${{{body}}} inside a longer text or an argument; "
                             "write the value there and import again")  # fmt: skip


def _same(taken: Mapping[str, UpstreamPlan], argv: tuple[str, ...], url: str) -> str:
    for plan in taken.values():
        if (argv and plan.argv == argv) or (url and plan.url == url):
            return plan.name
    return ""


def _upstream_name(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_NAME_LENGTH].strip("-")
    return plain or "server"


def _free_name(wanted: str, taken: Mapping[str, UpstreamPlan]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted[: _NAME_LENGTH - len(str(number)) - 1].rstrip('-')}-{number}"
    return name


def _begins_like_reference(text: str) -> bool:
    try:
        return parse_reference(text) is not None
    except ReferenceBroken:
        return True


def workspace_of(file: Path) -> Path:
    """The folder a project's configuration file belongs to."""
    folder = file.absolute().parent
    return folder.parent if folder.name in (".vscode", ".cursor", ".claude") else folder
