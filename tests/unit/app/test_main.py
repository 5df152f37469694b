"""Which program a command loads: seen in processes of their own, which start from nothing."""

import os
import subprocess
import sys

import pytest

SPY = """
import sys
sys.argv = ["lockgate", *sys.argv[1:]]
import lockgate.app.main
print(*(m.removeprefix("lockgate.app.") for m in sys.modules if m.startswith("lockgate.app.")))
"""


def run(*arguments: str, spy: str = SPY) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    start = [sys.executable, "-c", spy] if spy else [sys.executable, "-m", "lockgate.app.main"]
    return subprocess.run([*start, *arguments], env=env, input="", capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (("stdio",), {"main", "ingress_stdio", "shim", "underway"}),
        (("stdio", "--help"), {"main", "program", "ingress_stdio", "shim", "underway", "server"}),
        (
            ("stdio", "--insecure-file", "/no/such/file"),
            {"main", "ingress_stdio", "shim", "login.carrying"},
        ),
        (("logout", "--insecure-file", "/no/such/file"), {"main", "program", "login.cli"}),
        (("login", "--help"), {"main", "program", "server", "login.command"}),
        (("keys", "demo"), {"main", "program", "server", "demo.command"}),
    ],
)
def test_a_command_loads_what_it_needs(arguments: tuple[str, ...], loaded: set[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    found = set(done.stdout.split())
    assert loaded <= found
    assert ("program" in found) == ("program" in loaded)
    assert "demo.cli" not in found
    assert ("login.kept" in found) == bool({"login.cli", "login.carrying"} & loaded)


def test_the_exit_code_is_the_command_s() -> None:
    refused = run("stdio", "--nonsense", spy="")
    assert refused.returncode == 2
    assert "usage: lockgate stdio" in refused.stderr


ENDING = """
import atexit, sys
atexit.register(print, "finalised")
sys.argv = ["lockgate", *sys.argv[1:]]
from lockgate.app.main import main
main()
"""


@pytest.mark.parametrize(("command", "orderly"), [("stdio", False), ("keys", True)])
def test_a_shim_ends_without_waiting_for_threads_that_could_abort_it(
    command: str, orderly: bool
) -> None:
    done = run(command, "--nonsense", spy=ENDING)
    assert done.returncode == 2
    assert done.stderr
    assert ("finalised" in done.stdout) == orderly
