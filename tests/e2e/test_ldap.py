"""A gateway that asks a real slapd who works here."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.provisioning import TRY_SECONDS
from lockgate.app.streams import CHECK_SECONDS
from support.client import McpClient, http_client
from support.directory_server import (
    GROUPS,
    PASSWORD,
    PEOPLE,
    READER,
    DirectoryServer,
    running_directory,
)
from support.gateway import Gateway, child
from support.live_streams import stream_of

pytestmark = pytest.mark.e2e

POLL = 1.0


@pytest.fixture
def server() -> Iterator[DirectoryServer]:
    with running_directory() as made:
        yield made


def gateway(folder: Path, server: DirectoryServer, **more: Any) -> Gateway:
    hq = {
        "url": server.secure, "ca_file": str(server.ca), "bind_dn": READER,
        "password": "file:ldap.secret", "base": PEOPLE, "inactive": "(nsAccountLock=TRUE)",
        "poll_seconds": POLL, **more,
    }  # fmt: skip
    roles = {f"CN=nurses,{GROUPS}": ["nurse"]}
    made = Gateway(
        folder / "gate", {"echo": child("modern")},
        '@id("n") permit (principal in Role::"nurse", action, resource);',
        people={"ldap": {"hq": hq}, "roles": roles},
    )  # fmt: skip
    (made.folder / "ldap.secret").write_text(PASSWORD)
    made.key("alice")
    made.key("bob")
    return made


async def becomes(client: McpClient, reason: str, seconds: float) -> float:
    """How long it took until the client is answered so (empty: let in)."""
    began = time.monotonic()
    while (await client.modern("tools/list")).reason != reason:
        assert time.monotonic() - began < seconds, reason
    return time.monotonic() - began


def _groups(gate: Gateway) -> Any:
    """Of the only one there is."""
    return json.loads(gate.cli("people", "list", "--json"))[0]["groups"]


async def test_state_and_groups_of_a_directory_count_within_a_poll(
    tmp_path: Path, server: DirectoryServer
) -> None:
    dn = server.add("alice")
    group = server.group("nurses", dn)
    async with gateway(tmp_path, server) as gate, http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        await becomes(alice, "", 15)
        assert (await alice.modern("tools/list")).result["tools"] != [], "the role of her group"
        bob = McpClient(http, gate.url, gate.key("bob"))
        assert (await bob.modern("tools/list")).reason == "auth.inactive", "nobody knows him"
        await alice.open()
        async with stream_of(alice) as stream:
            assert await stream.next() is not None
            await asyncio.to_thread(server.change, dn, nsAccountLock="TRUE")
            began = time.monotonic()
            await becomes(alice, "auth.inactive", POLL + TRY_SECONDS + 3.0)
            await stream.end()
            assert time.monotonic() - began < POLL + TRY_SECONDS + CHECK_SECONDS + 4.0
        await asyncio.to_thread(server.change, dn, nsAccountLock=None)
        await becomes(alice, "", 10)
        await asyncio.to_thread(server.delete, group)
        await gate.awaited(
            lambda g: json.loads(g.cli("people", "list", "--json"))[0]["groups"] == []
        )
        assert (await alice.modern("tools/list")).result["tools"] == []
        await asyncio.to_thread(server.delete, dn)
        await asyncio.to_thread(server.add, "carol")  # a list of nobody would be a failure
        await becomes(alice, "auth.inactive", 10)
        assert PASSWORD not in gate.log + str(gate.journal())


async def test_without_an_answer_for_too_long_nobody_is_let_in(
    tmp_path: Path, server: DirectoryServer
) -> None:
    server.add("alice")
    async with gateway(tmp_path, server, max_age_seconds=3) as gate, http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        await becomes(alice, "", 15)
        await asyncio.to_thread(server.stop)
        stopped = time.monotonic()
        assert (await alice.modern("tools/list")).status == 200, "not yet"
        await becomes(alice, "auth.unknown", 10)
        assert time.monotonic() - stopped > 0.5
        ready = await http.get(f"{gate.base}/health/ready").build().send()
        assert (ready.status, json.loads(await ready.text())["broken"]) == (503, ["people"])
        await asyncio.to_thread(server.start)
        await becomes(alice, "", 15)
