"""What an identity provider does to a running gate, with a client and a tester by others."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from lockgate.app.streams import CHECK_SECONDS
from support.client import McpClient, http_client
from support.gateway import Gateway
from support.live_streams import Stream, listening, stream_of
from support.scim_gateway import SECRET, deactivate, gateway, make, provider

pytestmark = pytest.mark.e2e


def test_the_public_scim_tester_finds_nothing_wrong(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate, provider(gate) as http:
        found = check_server(SyncSCIMClient(http))
        assert len(found) > 50
        assert [r for r in found if r.status is not Status.SUCCESS] == []
        assert "Traceback" not in gate.log
        assert {r.slots["actor"]["via"] for r in gate.rows(kind="admin.changed")} == {"cli", "scim"}


@asynccontextmanager
async def alice_at_work(gate: Gateway) -> AsyncIterator[tuple[McpClient, Stream, Stream]]:
    """With a legacy session, its stream, and a modern listen."""
    async with http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        await alice.open()
        async with stream_of(alice) as one, listening(alice) as other:
            assert await one.next() is not None
            assert await other.next() is not None
            yield alice, one, other


async def test_a_leaver_is_out_on_the_next_call_and_their_streams_end(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        with provider(gate) as idp:
            ids = {name: await asyncio.to_thread(make, idp, name) for name in ("alice", "bob")}
            async with alice_at_work(gate) as (alice, one, other), http_client() as http:
                bob = McpClient(http, gate.url, gate.key("bob"))
                assert (await alice.legacy("ping")).status == 200
                await asyncio.to_thread(deactivate, idp, ids["alice"])
                began = time.monotonic()
                said = [await alice.legacy("ping"), await alice.modern("tools/list")]
                assert [(s.status, s.reason) for s in said] == [(401, "auth.inactive")] * 2
                await asyncio.gather(one.end(), other.end())
                assert time.monotonic() - began < CHECK_SECONDS + 1.0, "and a busy machine"
                async with stream_of(alice) as again:
                    assert again.status == 401
                assert (await bob.modern("tools/list")).status == 200
        changed = [r.header for r in gate.rows(kind="admin.changed") if r.header.get("source")]
        assert changed[-1]["changed"] == ["active"]
        assert "alice" not in json.dumps([r.header for r in gate.journal()])
        assert "inactive" in await asyncio.to_thread(gate.cli, "keys", "list")


async def test_whom_nobody_knows_is_not_let_in_once_scim_is_on(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate, http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        assert (await alice.modern("tools/list")).reason == "auth.inactive"
        with provider(gate) as idp:
            await asyncio.to_thread(make, idp, "alice")
        assert (await alice.modern("tools/list")).status == 200


async def test_groups_decide_what_policy_permits(tmp_path: Path) -> None:
    gate = gateway(tmp_path, roles={"Ward 3": "nurse"})
    gate.write_policy('@id("n") permit (principal in Role::"nurse", action, resource);')
    async with gate, http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            assert (await alice.modern("tools/list")).result["tools"] == []
            said = {"displayName": "Ward 3", "members": [{"value": id}]}
            made = await asyncio.to_thread(lambda: idp.post("/Groups", json=said))
            assert made.status_code == 201
            assert (await alice.modern("tools/list")).result["tools"] != []
            await asyncio.to_thread(lambda: idp.delete(f"/Groups/{made.json()['id']}"))
            assert (await alice.modern("tools/list")).result["tools"] == []


async def test_every_worker_knows_a_leaver_within_two_seconds(tmp_path: Path) -> None:
    gate = gateway(tmp_path)
    gate.write_config(listen={"port": 0, "workers": 2})
    async with gate:
        with provider(gate) as idp:
            id = await asyncio.to_thread(make, idp, "alice")
            seen: set[str] = set()

            async def asked() -> bool:
                """A new connection: whichever worker takes it."""
                async with http_client() as http:
                    alice = McpClient(http, gate.url, gate.key("alice"))
                    said = await alice.modern("tools/list")
                    seen.add(said.reason)
                    return said.status == 401

            async with asyncio.timeout(10):
                while any([await asked() for _ in range(8)]):
                    pass
            await asyncio.to_thread(deactivate, idp, id)
            began = time.monotonic()
            while not all([await asked() for _ in range(8)]):
                assert time.monotonic() - began < 3.0, "2 s, and what a busy machine takes"
        assert seen == {"", "auth.inactive"}


async def test_another_secret_counts_after_a_reload(tmp_path: Path) -> None:
    new = "the-secret-that-comes-after-it-0123456789"
    async with gateway(tmp_path) as gate:
        (gate.folder / "new.secret").write_text(new)

        def opens(secret: str) -> bool:
            with provider(gate, secret) as idp:
                return idp.get("/Users").status_code == 200

        assert await asyncio.to_thread(opens, SECRET)
        assert not await asyncio.to_thread(opens, new)
        gate.write_config(people={"scim_secrets": ["file:new.secret"]})
        await gate.awaited(lambda _: opens(new))
        assert not await asyncio.to_thread(opens, SECRET)
