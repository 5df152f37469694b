"""How the demo tells: headings, claims that are checked as they are made, quotes, journal rows."""

import os
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec
import orjson
import typer

from lockgate.control_plane.services.plain_text import visible
from lockgate.model import Recorded

INDENT = " " * 3
_MARK = 4
_LABEL = 9
_WIDEST = 110


class NotAsTold(Exception):
    """A claim was not true. The text is the claim."""


class LeftOut(Exception):
    """A scene that cannot be shown here. The text says what would make it."""


class SceneResult(msgspec.Struct, frozen=True):
    """One scene as it went."""

    name: str
    why: str
    as_told: bool
    seconds: float
    checked: int
    """How many claims were found true."""
    said: tuple[str, ...]
    """Those claims, and plain sentences, in order."""
    journal: tuple[str, ...]
    """The rows it showed."""
    wrong: str = ""
    """The claim that was not true, or what broke."""
    left_out: str = ""
    """Why it was not shown, and what would make it."""


class Narrator:
    """Prints for people. ``quiet`` prints nothing."""

    def __init__(self, out: TextIO, *, quiet: bool = False) -> None:
        self._out = out
        self._quiet = quiet
        # https://no-color.org
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._width = min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)

    def heading(self, text: str, below: str = "") -> None:
        self._line("")
        self._line(self._style(visible(text), bold=True))
        if below:
            self._line(self._wrap(below, INDENT, INDENT), dim=True)
            self._line("")

    def claim(self, text: str, *, true: bool) -> None:
        mark = self._style("ok", fg="green") if true else self._style("NO", fg="red", bold=True)
        self._marked(mark, text)

    def omission(self, text: str) -> None:
        self._marked("--", text)

    def sentence(self, text: str) -> None:
        self._line(self._wrap(text, INDENT, INDENT))

    def labelled(self, label: str, text: str) -> None:
        """A quotation or a record, under the claim it belongs to."""
        lead = f"{INDENT}{' ' * _MARK}{label:<{_LABEL}}"
        self._line(self._wrap(text, lead, " " * len(lead)), dim=True)

    def verbatim(self, text: str) -> None:
        """Lines to copy: never wrapped."""
        for line in text.splitlines() or [""]:
            self._line(f"{INDENT}{visible(line)}")

    def _marked(self, mark: str, text: str) -> None:
        hang = INDENT + " " * _MARK
        self._line(f"{INDENT}{mark}  {self._wrap(text, hang, hang).strip()}")

    def _wrap(self, text: str, first: str, rest: str) -> str:
        return textwrap.fill(
            visible(text), self._width, initial_indent=first, subsequent_indent=rest,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def _line(self, text: str, *, dim: bool = False) -> None:
        if not self._quiet:
            self._out.write((self._style(text, dim=True) if dim else text) + "\n")
            self._out.flush()

    def _style(self, text: str, **how: bool | str) -> str:
        return typer.style(text, **how) if self._colour else text  # type: ignore[arg-type]


class Telling:
    """What one scene says. Every claim is checked; the first that is not true ends the scene."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self.said: list[str] = []
        self.checked = 0
        self.journal: list[str] = []

    def that(self, claim: str, true: bool) -> None:
        """Raises ``NotAsTold``."""
        self._narrator.claim(claim, true=true)
        plain = " ".join(claim.split())
        if not true:
            raise NotAsTold(plain)
        self.checked += 1
        self.said.append(plain)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)
        self._narrator.sentence(sentence)

    def agent_reads(self, text: str) -> None:
        self._narrator.labelled("agent", f'reads: "{text}"')

    def show(self, label: str, text: str) -> None:
        self._narrator.labelled(label, text)

    def rows(self, rows: Iterable[Recorded]) -> None:
        label = "journal"
        for row in rows:
            self.journal.append(row_line(row))
            self._narrator.labelled(label, self.journal[-1])
            label = ""


def row_line(row: Recorded) -> str:
    """One journal row on a line, as ``lockgate audit tail`` has it in columns."""
    event = row.event
    about = event.header
    place = "/".join(str(about[k]) for k in ("upstream", "target") if about.get(k))
    asked = f"{about.get('method') or '-'} {place}".strip()
    who = actor_of(row).get("subject", "")
    return (
        f"{row.seq:>4} {event.kind:<12} {event.effect:<6} {event.reason:<18} {asked} {who}".strip()
    )


def actor_of(row: Recorded) -> dict[str, Any]:
    """The principal, as it was recorded."""
    said: dict[str, Any] = orjson.loads(row.event.slots.get("actor", b"{}"))
    return said


def caller_of(row: Recorded) -> str:
    """The person, the agent they use, and the program where it proved which it is."""
    said = actor_of(row)
    via = f" via {said['agent']}" if said.get("agent") else ""
    on = f" on {said['workload']}" if said.get("workload") else ""
    return f"{said.get('subject', '')}{via}{on}"


def because(row: Recorded) -> str:
    """Which rules decided it, by the control that has them."""
    deciding = [v for v in row.event.header["verdicts"] if v["reason"] == row.event.reason]
    return "; ".join(f"{v['control']}: {listed(v.get('because', ()))}" for v in deciding)


def listed(names: Iterable[str], most: int = 6) -> str:
    """Some names in a sentence."""
    given: Sequence[str] = sorted(names)
    if len(given) > most:
        return f"{', '.join(given[:most])} and {len(given) - most} more"
    return ", ".join(given)


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("" if count == 1 else "s")
