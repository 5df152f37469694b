import pytest
from typer.testing import CliRunner

from lockgate.control_plane.cli.program import build
from support.desk import Desk

COMMANDS = [
    ("init",), ("import",), ("connect",), ("doctor",), ("keys", "create"), ("keys", "list"),
    ("keys", "revoke"), ("audit", "tail"), ("audit", "show"), ("config", "check"),
    ("config", "schema"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches(desk: Desk, command: tuple[str, ...]) -> None:
    found = desk.type(*command, "--help")
    assert found.code == 0
    assert "Example" in found.out
    if command != ("config", "schema"):
        assert "Exit codes:" in found.out
        assert "--json" in found.out or command == ("config", "schema")


def test_no_command_and_unknown_ones(desk: Desk) -> None:
    found = desk.type()
    assert "To begin:" in found.out + found.err
    assert desk.type("nonsense").code == 2


def test_version(desk: Desk) -> None:
    assert desk.type("--version").code == 0


def test_the_configuration_is_named_by_option_or_environment(desk: Desk) -> None:
    asked: list[str] = []

    def factory(path: object) -> Desk:
        asked.append(str(path))
        return desk

    program = build(factory)
    runner = CliRunner()
    runner.invoke(program, ["--config", "a.yaml", "keys", "list"])
    runner.invoke(program, ["keys", "list"], env={"LOCKGATE_CONFIG": "b.yaml"})
    runner.invoke(program, ["keys", "list"], env={"LOCKGATE_CONFIG": ""})
    assert asked == ["a.yaml", "b.yaml", "lockgate.yaml"]


def test_a_broken_configuration_is_a_sentence(desk: Desk) -> None:
    desk.configure("lissten: {}\n")
    found = desk.type("keys", "list")
    assert found.code == 3
    assert "lockgate.yaml:1:1" in found.err
    assert "Did you mean listen?" in found.err


def test_a_store_that_is_down_is_a_sentence(desk: Desk) -> None:
    desk.down = True
    found = desk.type("audit", "tail")
    assert found.code == 3
    assert "cannot open the database" in found.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(desk: Desk, shell: str) -> None:
    script = CliRunner().invoke(
        build(lambda _: desk),
        [],
        prog_name="lockgate",
        env={"_LOCKGATE_COMPLETE": f"source_{shell}"},
    )
    assert "lockgate" in script.stdout
    words = {
        "_LOCKGATE_COMPLETE": "complete_bash",
        "COMP_WORDS": "lockgate connect c",
        "COMP_CWORD": "2",
    }
    offered = CliRunner().invoke(build(lambda _: desk), [], prog_name="lockgate", env=words)
    assert offered.stdout.split() == ["claude-desktop", "claude-code", "cursor"]
