"""What the table of ``docs/bridge.md`` promises, and each feature as the public SDK's client uses
it. A feature is tried by ``FEATURES[name](client, person, era)`` and raises where it fails."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mcp import Client
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError

from support.bridge import SECONDS, Person
from support.gateway import ROOT
from support.real_servers import said

WATCHED = "test://watched-resource"

Feature = Callable[[Client, Person, str], Awaitable[None]]


async def tool_call(client: Client, person: Person, era: str) -> None:
    assert "simple text" in said(await client.call_tool("test_simple_text"))


async def elicitation(client: Client, person: Person, era: str) -> None:
    answer = said(await client.call_tool("test_elicitation", {"message": "Who?"}))
    assert "accept" in answer
    assert person.asked == ["Who?"]


async def progress(client: Client, person: Person, era: str) -> None:
    seen: list[float] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    await client.call_tool("test_tool_with_progress", progress_callback=report)
    assert seen == [0, 50, 100]


async def log_messages(client: Client, person: Person, era: str) -> None:
    if era == "legacy":
        await client.set_logging_level("info")
    await client.call_tool("test_tool_with_logging")
    assert len(person.logged) == 3


async def resource_subscription(client: Client, person: Person, era: str) -> None:
    if era == "legacy":
        await client.subscribe_resource(WATCHED)
        await client.call_tool("test_trigger_resource_change", {"uri": WATCHED})
        await person.heard_of("notifications/resources/updated")
        return
    async with asyncio.timeout(SECONDS), client.listen(resource_subscriptions=[WATCHED]) as events:
        assert events.honored.resource_subscriptions == [WATCHED]
        await client.call_tool("test_trigger_resource_change", {"uri": WATCHED})
        async for event in events:
            assert isinstance(event, ResourceUpdated)
            assert event.uri == WATCHED
            return


async def list_changed(client: Client, person: Person, era: str) -> None:
    await client.list_tools()
    if era == "legacy":
        await client.call_tool("test_trigger_tool_change")
        await person.heard_of("notifications/tools/list_changed")
        return
    async with asyncio.timeout(SECONDS), client.listen(tools_list_changed=True) as events:
        await client.call_tool("test_trigger_tool_change")
        async for event in events:
            assert isinstance(event, ToolsListChanged)
            return


async def cancellation(client: Client, person: Person, era: str) -> None:
    mark, begun = uuid.uuid4().hex, asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    waiting = asyncio.ensure_future(
        client.call_tool("test_wait", {"mark": mark}, progress_callback=report)
    )
    async with asyncio.timeout(SECONDS):
        await begun.wait()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        while said(await client.call_tool("test_was_cancelled", {"mark": mark})) != "yes":
            pass


async def sampling(client: Client, person: Person, era: str) -> None:
    answer = said(await client.call_tool("test_sampling", {"prompt": "Capital?"}))
    assert "Paris" in answer


async def roots(client: Client, person: Person, era: str) -> None:
    answer = said(await client.call_tool("test_input_required_result_list_roots"))
    assert "file:///work" in answer


FEATURES: dict[str, Feature] = {
    "tool call": tool_call,
    "elicitation": elicitation,
    "progress": progress,
    "log messages": log_messages,
    "resource subscription": resource_subscription,
    "list changed": list_changed,
    "cancellation": cancellation,
    "sampling": sampling,
    "roots": roots,
}


def cells() -> list[tuple[str, str, str, str]]:
    """Feature, client's era, upstream's era and promise, from the table."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "bridge.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    heads = [head.split(" → ") for head in rows[0][1:]]
    return [
        (row[0], client, upstream, promise)
        for row in rows[1:]
        for (client, upstream), promise in zip(heads, row[1:], strict=True)
    ]


async def words_of(act: Awaitable[None]) -> str:
    """What the client learns of the refusal: as a tool's error, or as a JSON-RPC error."""
    try:
        await act
    except MCPError as error:
        return f"{error.message} {error.data}"
    except AssertionError as shown:
        return str(shown)
    raise AssertionError("it passed")
