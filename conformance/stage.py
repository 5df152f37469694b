"""A fixture and, before it, a real gateway; each a process group of its own that ends with us."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from conformance.inject import header_proxy
from conformance.suite import ROOT
from support.gateway import PERMIT_ALL, Gateway

Era = Literal["both", "legacy", "modern"]
Guard = Literal["permissive", "controls"]
UPSTREAM = "fixture"
START_SECONDS = 60.0
_PLENTY = {"calls_per_minute": 100_000, "burst": 10_000, "concurrent_calls": 200}
"""The suite opens and leaves more calls at once than a person does."""
_TYPES: dict[str, Any] = {
    "test_sampling": {"arguments": {"prompt": "string"}},
    "test_elicitation": {"arguments": {"message": "string"}},
    "test_x_mcp_header": {"arguments": {"region": "string"}},
    "slow_compute": {"arguments": {"label": "string"}},
    "confirm_delete": {"arguments": {"filename": "string"}},
}


@asynccontextmanager
async def fixture(era: Era = "both") -> AsyncIterator[str]:
    """Yields where it listens: ``http://localhost:PORT/mcp``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conformance.fixture", "http", "--era", era,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            port = int(await process.stdout.readline())
        yield f"http://localhost:{port}/mcp"
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def gateway(folder: Path, upstream: str, guard: Guard) -> AsyncIterator[str]:
    """Yields where it is reached without a credential: ``http://localhost:PORT/mcp/fixture``."""
    async with header_proxy() as proxy:
        gate = Gateway(
            folder,
            {UPSTREAM: _upstream(upstream, guard)},
            policy=PERMIT_ALL if guard == "permissive" else _rules(),
            listen={
                "port": 0,
                "hosts": [f"localhost:{proxy.port}", f"127.0.0.1:{proxy.port}"],
                "origins": [proxy.url, f"http://127.0.0.1:{proxy.port}"],
            },
            limits=_PLENTY,
        )
        key = gate.key("suite", "conformance")
        proxy.header = f"Authorization: Bearer {key}".encode()
        await asyncio.to_thread(gate.start)
        try:
            proxy.target = int(gate.base.rpartition(":")[2])
            yield f"{proxy.url}/mcp/{UPSTREAM}"
        finally:
            await asyncio.to_thread(gate.end)


def _upstream(url: str, guard: Guard) -> dict[str, Any]:
    told: dict[str, Any] = {"url": url}
    if guard == "controls":
        told |= {"tools": _TYPES, "trust": "internal", "region": "eu", "data_classes": ["test"]}
    return told


def _rules() -> str:
    return (Path(__file__).parent / "controls.cedar").read_text()
