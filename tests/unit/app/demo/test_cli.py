"""Which commands load the ``mcp`` SDK: seen in processes of their own, which start from nothing."""

import os
import subprocess
import sys

SPY = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mcp", "mcp_types", "httpx2"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv[0] = "lockgate"
from lockgate.app.main import main
main()
"""


def _without_extra(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SPY, *arguments], capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip


def test_help_needs_no_extra_and_names_the_demo() -> None:
    done = _without_extra("--help")
    assert done.returncode == 0, done.stderr
    assert "See the gateway at work" in done.stdout


def test_the_missing_extra_is_named() -> None:
    done = _without_extra("demo")
    assert done.returncode == 3
    assert "pip install 'lockgate[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_other_command_loads_the_sdk() -> None:
    """``serve`` without a configuration gets as far as saying so, with its whole program loaded."""
    done = _without_extra("serve")
    assert done.returncode == 3
    assert "The configuration cannot be used" in done.stderr


def test_options_before_the_demo_are_answered() -> None:
    done = _without_extra("--config", "mine.yaml", "demo")
    assert done.returncode == 3
    assert "brings its own configuration" in done.stderr
