"""Seen in processes of their own: which program a command loads."""

import os
import subprocess
import sys

import pytest


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-m", "lockgate.app.main", *arguments],
        env=env, input="", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["login", "logout"])
def test_its_help_is_there_wherever_lockgate_is(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout
    assert "--insecure-file" in done.stdout


def test_options_before_it_are_the_gateway_s() -> None:
    done = run("-c", "x.yaml", "logout")
    assert done.returncode == 3
    assert "without options before" in done.stderr
