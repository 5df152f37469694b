"""Several workers of one gateway, each spoken to on purpose."""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from support.client import http_client
from support.gateway import Gateway
from support.processes import alive

PATIENCE = 30.0
"""Seconds: one that was killed rests before it is started again, and on a busy machine starts
slowly."""


@asynccontextmanager
async def client_of(gate: Gateway, worker: int) -> AsyncIterator[Client]:
    """A client whose one connection is to ``worker``, as long as it asks one thing at a time."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        async with http_client() as http:
            if await worker_of(gate, http) == worker:
                yield http
                return
    raise AssertionError(f"worker {worker} takes no connections")


async def worker_of(gate: Gateway, http: Client) -> int | None:
    try:
        response = await http.get(f"{gate.base}/health/ready").build().send()
        found = json.loads(await response.text()).get("worker")
    except PyreqwestError:
        return None
    return found if isinstance(found, int) else None


def pid_of(gate: Gateway, worker: int) -> int | None:
    """The process that holds this place now."""
    place = f'"index": {worker},'
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            said = Path(f"/proc/{name}/cmdline").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if place in said and str(gate.config) in said and alive(int(name)):
            return int(name)
    return None
