"""Clients of the public TypeScript SDKs before a gateway: ``tests/node/clients``."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import msgspec

from support.gateway import ROOT, Gateway
from support.real_servers import program, shim

CLIENTS = ROOT / "tests" / "node" / "clients"
SECONDS = 100.0
"""A feature that is never answered takes 15 of them."""


class Came(msgspec.Struct, frozen=True):
    """Of one feature: what came, or the words of the error, and what the person was asked."""

    came: Any = None
    error: str = ""
    asked: list[str] = []


class Answer(msgspec.Struct, frozen=True):
    era: str
    """That the client settled on: ``legacy`` or ``modern``."""
    found: dict[str, Came]


async def run_client(
    gate: Gateway, client: tuple[str, str], way: str, upstream: str, *features: str
) -> Answer:
    """Each feature once, by the client ``v1`` or ``v2`` and its mode; ``way``: ``http``, or
    ``stdio`` for ``lockgate stdio``."""
    url = f"{gate.base}/mcp/{upstream}"
    key = gate.key("alice") if way == "http" else gate.key_file("alice")
    return await run_at(url, key, client, *features)


async def run_at(
    url: str, key: str | Path, client: tuple[str, str], *features: str, **more: Any
) -> Answer:
    """As ``run_client``: over ``lockgate stdio`` where the key is in a file. ``more``: parts of the
    job, such as ``capabilities``."""
    version, mode = client
    job: dict[str, Any] = {"mode": mode, "features": features, **more}
    if isinstance(key, str):
        job |= {"url": url, "headers": {"Authorization": f"Bearer {key}"}}
    else:
        settings = shim(url, key)
        job |= {"command": settings.command, "args": settings.args, "env": settings.env}
    said, log = await _node(CLIENTS / f"{version}.mjs", msgspec.json.encode(job))
    assert said, log
    return msgspec.json.decode(said, type=Answer)


async def _node(script: Path, given: bytes) -> tuple[bytes, str]:
    """Its stdout and stderr. It is a process group of its own, and ends with us."""
    process = await asyncio.create_subprocess_exec(
        program("node"), str(script),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            said, log = await process.communicate(given)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return said, log.decode(errors="replace")
