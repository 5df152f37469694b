import sys
from pathlib import Path

from pyreqwest.client import Client

from lockgate.model import Envelope, Upstream
from lockgate.upstream.connect import Connector
from lockgate.upstream.pool import Pool
from lockgate.upstream.send_http import build_client
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget
from support.upstream_endpoint import FakeEndpoint, serving

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")
ENVELOPE = Envelope()


async def test_a_program_and_its_stderr() -> None:
    connector = Connector()
    target = StdioTarget((sys.executable, "-I", "-S", CHILDREN, "chatter"))
    link = await connector(Registered(Upstream("loud"), target, Bounds(grace_seconds=0.2)))
    await link.request("tools/list", b"{}", envelope=ENVELOPE)
    await link.close()
    assert connector.stderr_tail("loud")[-1] == "line 199"
    assert connector.stderr_tail("other") == ()
    await connector.close()


async def test_one_client_an_upstream_and_a_new_one_for_a_new_address() -> None:
    built: list[Client] = []

    def build(bounds: Bounds) -> Client:
        built.append(build_client(bounds))
        return built[-1]

    connector = Connector(build)
    endpoint = FakeEndpoint()
    async with serving(endpoint) as url:
        one = Registered(Upstream("one"), HttpTarget(url))
        for _ in range(3):
            await (await connector(one)).close()
        assert len(built) == 1
        moved = Registered(Upstream("one"), HttpTarget(url + "?moved"))
        await (await connector(moved)).close()
        assert len(built) == 2
    await connector.close()


async def test_two_principals_share_no_session() -> None:
    endpoint = FakeEndpoint("legacy")
    connector = Connector()
    async with serving(endpoint) as url:
        pool = Pool(connector, lambda: 0.0)
        one = Registered(Upstream("one"), HttpTarget(url))
        for who in ("alice", "bob", "alice"):
            async with pool.lease(one, who) as link:
                await link.request("tools/list", b"{}", envelope=ENVELOPE)
        await pool.close_all()
    await connector.close()
    lists = [r for r in endpoint.received if r.message.get("method") == "tools/list"]
    sessions = [one.header("mcp-session-id") for one in lists]
    assert sessions == ["session-1", "session-2", "session-1"]
