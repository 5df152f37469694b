"""What commands print. Colour only on a terminal; text from elsewhere never steers it."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import orjson
import typer

from lockgate.control_plane.services.plain_text import json_visible, visible
from lockgate.model.problem import Problem

FINDINGS = 1
"""Exit code: the command worked and found something wrong."""
REFUSED = 3
"""Exit code: the command would not or could not do it. (2 is bad usage, by click.)"""

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "danger": "red", "warning": "yellow"}


def say(*lines: str, err: bool = False) -> None:
    """Each argument is one line, whatever it holds: a line break within it is shown, not made."""
    for line in lines or ("",):
        typer.echo(visible(line), err=err)


def say_graded(grade: str, *lines: str, indent: str = "") -> None:
    word = f"{grade:<7}"
    if not os.environ.get("NO_COLOR"):  # https://no-color.org
        word = typer.style(word, fg=_COLOURS.get(grade), bold=grade in ("fail", "danger"))
    for line in lines:
        typer.echo(f"{indent}{word} {visible(line)}")
        word = " " * 7


def say_json(value: Any) -> None:
    """What cannot be seen is escaped in JSON's own way, so that a terminal is not steered."""
    typer.echo(json_visible(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()))


def say_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    cells = [list(heads), *([visible(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    for row in cells:
        typer.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


def say_problems(problems: Sequence[Problem], *, err: bool = False) -> None:
    for problem in problems:
        say(*str(problem).split("\n"), err=err)


def refuse(why: str, remedy: str = "") -> NoReturn:
    say(f"Refused: {why}", *([remedy] if remedy else []), err=True)
    raise typer.Exit(REFUSED)
