"""The servers the demo puts behind the gate: which of them are on this machine, and how they start.

All but the clinic were written by others. What is not installed is left out, and the demo says so.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

ACCESS_LOG = "clinic-access.log"
ROW_DELAY = "0.05"
_EXTRA = "not installed (pip install 'lockgate[demo]')"
_NODE = "not on the PATH (npm install {})"


class Behind(msgspec.Struct, frozen=True):
    """A server that takes part, as ``lockgate.yaml`` has it."""

    name: str
    about: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    shared: bool = True
    more: str = ""
    """Further settings, as YAML lines."""


class Missing(msgspec.Struct, frozen=True):
    """A server that does not, and what would make it."""

    name: str
    why: str


Found = tuple[tuple[Behind, ...], tuple[Missing, ...]]
Which = Callable[[str], str | None]
"""Where a program is; None for nowhere."""


def which(program: str) -> str | None:
    """Beside this Python first: an application may be started without its environment's PATH."""
    beside = shutil.which(program, path=str(Path(sys.executable).parent))
    return beside or shutil.which(program)


def find_upstreams(root: Path, which: Which = which) -> Found:
    """``root``: the demo's directory. The clinic is always there."""
    looked = (
        _python("time", "the time anywhere", "--local-timezone=UTC", which=which),
        _git(root, which),
        _python("fetch", "fetches web pages; permitted to nobody", which=which),
        _node("filesystem", "files of one directory", str(root / "files"), which=which),
        _node("everything", "one of every kind of MCP feature", "stdio", which=which),
        _node("memory", "a knowledge graph", which=which,
              env={"MEMORY_FILE_PATH": str(root / "memory.jsonl")}),
    )  # fmt: skip
    present = tuple(one for one in looked if isinstance(one, Behind))
    return (clinic(root), *present), tuple(one for one in looked if isinstance(one, Missing))


def clinic(root: Path) -> Behind:
    """Ours, and a process a person: the only one that holds what persons may not share."""
    argv = (
        sys.executable, "-m", "lockgate.app.demo.clinic", "--database", str(root / "clinic.db"),
        "--row-delay", ROW_DELAY, "--access-log", str(root / ACCESS_LOG),
    )  # fmt: skip
    # Run from a source tree, Lockgate is on the path only by this.
    path = os.environ.get("PYTHONPATH")
    return Behind("clinic", "patients, notes, billing; invented", argv, shared=False,
                  env={"PYTHONPATH": path} if path else {}, more=_CLINIC)  # fmt: skip


_CLINIC = """\
    data_classes: [health]
    tools:
      refund:
        arguments:
          amount: decimal     # a policy reads it; no other argument ever reaches a policy
"""


def yaml_of(upstream: Behind) -> str:
    """Its entry under ``upstreams``. Strings are written as JSON writes them, which YAML reads."""
    program, *args = upstream.argv
    env = "".join(f"      {name}: {json.dumps(v)}\n" for name, v in upstream.env.items())
    return (
        f"  {upstream.name}:                # {upstream.about}\n"
        f"    command: {json.dumps(program)}\n"
        f"    args: {json.dumps(args)}\n"
        + (f"    env:\n{env}" if env else "")
        + "    trust: internal\n"
        + f"    sharing: {'shared' if upstream.shared else 'principal'}\n"
        + upstream.more
    )


def _python(name: str, about: str, *args: str, which: Which) -> Behind | Missing:
    program = which(f"mcp-server-{name}")
    return Behind(name, about, (program, *args)) if program else Missing(name, _EXTRA)


def _git(root: Path, which: Which) -> Behind | Missing:
    if which("git") is None:
        return Missing("git", "git is not installed (apt-get install git)")
    return _python("git", "one git repository", "--repository", str(root / "repository"),
                   which=which)  # fmt: skip


def _node(
    name: str, about: str, *args: str, which: Which, env: Mapping[str, str] = {}
) -> Behind | Missing:
    program = which(f"mcp-server-{name}")
    if program is None or which("node") is None:
        return Missing(name, _NODE.format(f"@modelcontextprotocol/server-{name}"))
    return Behind(name, about, (program, *args), env)
