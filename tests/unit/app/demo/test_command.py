from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lockgate.app.demo.command import Wish, command, play_elsewhere, play_without_extra


def _run(*arguments: str) -> tuple[int, list[Wish]]:
    wishes: list[Wish] = []

    def play(wish: Wish) -> int:
        wishes.append(wish)
        return 1

    program = typer.Typer()
    program.command()(command(play))
    return CliRunner().invoke(program, arguments).exit_code, wishes


def test_options_become_a_wish_and_the_plays_code_the_exit_code() -> None:
    code, wishes = _run("--data", "here", "--port", "8000", "--serve", "--json")
    assert code == 1
    assert wishes == [Wish(Path("here"), 8000, serve=True, as_json=True)]


def test_without_options_nothing_is_kept() -> None:
    assert _run()[1] == [Wish()]


def test_a_port_that_is_none_is_bad_usage() -> None:
    assert _run("--port", "70000") == (2, [])


@pytest.mark.parametrize(
    ("play", "said"),
    [(play_elsewhere, "without options before"), (play_without_extra, "lockgate[demo]")],
)
def test_what_cannot_be_played_says_what_to_do(
    play: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left:
        play(Wish())  # type: ignore[operator]
    assert left.value.exit_code == 3
    assert said in capsys.readouterr().err
