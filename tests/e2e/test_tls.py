"""Real TLS: the gate's own certificate, and what its clients show."""

import asyncio
import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificates import DOMAIN
from support.client import LEGACY, head, posted
from support.front import BASE, Front
from support.gateway import PERMIT_ALL

pytestmark = pytest.mark.e2e

ONLY_DESK = f"""
@id("desk") permit (principal is Person, action, resource)
when {{ principal.workload == "{DOMAIN}/desk" && principal.authn.contains("mtls") }};
@id("services") permit (principal is Service, action, resource);
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("tls"), ONLY_DESK, workers=request.param)
    with made.gate:
        yield made


async def test_policy_can_require_a_workload(front: Front) -> None:
    desk, batch = front.authority.workload("desk"), front.authority.issue(dns=("batch.example",))
    with_desk = await front.ask(desk, front.alice)
    assert with_desk is not None
    assert [tool["name"] for tool in with_desk.result["tools"]] == ["echo__echo"]
    for shown in (None, batch):
        without = await front.ask(shown, front.alice)
        assert without is not None
        assert without.result["tools"] == []


async def test_a_service_comes_in_with_its_certificate_alone(front: Front) -> None:
    said = await front.ask(front.authority.workload("reporter"))
    assert said is not None
    assert said.result["tools"]
    assert await front.reason(front.authority.workload("desk")) == "auth.missing"
    assert await front.reason() == "auth.missing"


async def test_the_journal_says_which_program_sent_it(front: Front) -> None:
    desk = front.authority.workload("desk")
    assert await front.reason(desk, front.alice) == ""
    await front.gate.awaited(
        lambda _: any(
            (who["subject"], who["workload"], who["agent"]) == ("alice", f"{DOMAIN}/desk", "desk")
            for who in front.who()
        )
    )


async def test_old_versions_of_tls_are_not_spoken(front: Front) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(front.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(
            "127.0.0.1", front.port, ssl=context, server_hostname="localhost"
        )


async def test_what_is_refused_before_it_is_a_request_is_answered_too(front: Front) -> None:
    said = await front.ask(None, front.alice, padding="x" * 70_000)
    assert said is not None
    assert (said.status, said.reason) == (431, "wire.headers-too-large")


async def test_plain_http_gets_no_answer_and_is_counted(tmp_path: Path) -> None:
    front = Front(tmp_path)
    with front.gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        front.gate.stop()
        assert front.counted("wire.not-tls") == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_renewed_certificate_is_shown_after_sighup(tmp_path: Path, workers: int) -> None:
    front = Front(tmp_path, PERMIT_ALL, workers=workers)
    with front.gate:
        assert await front.reason(None, front.alice) == ""
        renewed = front.authority.issue("gate", dns=("localhost",))
        renewed.write(front.folder, "gate")
        front.gate.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while await _shown(front) != renewed.der:
                pass
        assert await front.reason(None, front.alice) == ""


async def test_a_new_revocation_list_counts_without_a_signal(tmp_path: Path) -> None:
    front = Front(tmp_path)
    desk = front.authority.workload("desk")
    with front.gate:
        assert await front.reason(desk, front.alice) == ""
        front.revoke(desk, number=2)
        async with asyncio.timeout(20):
            while await front.reason(desk, front.alice) == "":
                pass
        assert await front.reason(desk, front.alice) == "auth.certificate"
        assert await front.reason(None, front.alice) == ""


async def test_a_stream_ends_when_its_certificate_counts_no_more(tmp_path: Path) -> None:
    front = Front(tmp_path)
    desk = front.authority.workload("desk")
    with front.gate:
        async with front.wire(desk) as wire:
            params = {"protocolVersion": LEGACY, "capabilities": {},
                      "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
            body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
            await wire.send(posted(BASE, "/mcp", front.alice, json.dumps(body).encode(), {}))
            opened = (await wire.reader.readuntil(b"\r\n\r\n")).decode()
            session = opened.split("mcp-session-id: ")[1].split("\r\n")[0]
            length = int(opened.split("content-length: ")[1].split("\r\n")[0])
            await wire.reader.readexactly(length)
            lines = (f"mcp-session-id: {session}", f"mcp-protocol-version: {LEGACY}")
            await wire.send(head(BASE, front.alice, None, *lines, line="GET /mcp HTTP/1.1"))
            assert b"text/event-stream" in await wire.reader.readuntil(b"\r\n\r\n")
            front.revoke(desk, number=2)
            async with asyncio.timeout(30):
                while not (await wire.reader.readline()).startswith(b"0\r\n"):
                    pass


async def test_where_a_certificate_is_required_nobody_comes_in_without(tmp_path: Path) -> None:
    front = Front(tmp_path, ask="required")
    with front.gate:
        assert await front.reason(None, front.alice) == "no connection"
        assert await front.reason(front.authority.workload("desk"), front.alice) == ""
        front.gate.stop()
        assert front.counted("auth.missing") == 1


async def _shown(front: Front) -> bytes:
    """DER of the gate's certificate."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", front.port, ssl=front.context(None), server_hostname="localhost"
    )
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(found)
