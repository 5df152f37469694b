import pytest
import typer
from typer.testing import CliRunner

from lockgate.control_plane.cli.output import (
    refuse,
    say,
    say_graded,
    say_json,
    say_problems,
    say_table,
)
from lockgate.model.problem import Problem

program = typer.Typer()


@program.command()
def everything() -> None:
    say("a\x1b[2Jb\nforged", "second")
    say_graded("fail", "broken", "mend it", indent="  ")
    say_table(("A", "LONG"), [("1", "x\x07"), ("22", "y")])
    say_problems([Problem("wrong", "f", 1, 2, remedy="Mend.")])
    refuse("no", "do")


def test_everything() -> None:
    found = CliRunner().invoke(program)
    assert found.exit_code == 3
    assert found.stderr == "Refused: no\ndo\n"
    assert found.stdout.splitlines() == [
        "a\\u{001b}[2Jb\\u{000a}forged", "second", "  fail    broken", "          mend it",
        "A   LONG", "1   x\\u{0007}", "22  y", "f:1:2: wrong", "    Mend.",
    ]  # fmt: skip


def test_colour_only_where_it_is_seen() -> None:
    assert "\x1b[31m" in CliRunner().invoke(program, color=True).stdout
    plain = CliRunner().invoke(program, color=True, env={"NO_COLOR": "1"})
    assert "\x1b" not in plain.stdout


def test_json_does_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": "\u202e\x9b2J"})
    assert capsys.readouterr().out == '{\n  "a": "\\u202e\\u009b2J"\n}\n'
