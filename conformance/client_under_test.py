"""What the suite's ``client`` command runs: ``client_under_test.py URL``.

The client under test is a whole gateway whose upstream is the suite's server. In front of it stands
an ordinary client that does what the scenario asks; all that the suite sees is the gateway's.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from conformance import client_auth
from support.gateway import Gateway

SECONDS = 15.0
DEADLINE = 50.0
"""Before the suite's own, so that the gateway is never left behind."""
UPSTREAM = "suite"
Scenario = Callable[[Client], Awaitable[None]]


async def _lists(client: Client) -> None:
    await client.list_tools()


async def _adds(client: Client) -> None:
    await client.list_tools()
    await client.call_tool("add_numbers", {"a": 5, "b": 3})


async def _every_tool(client: Client) -> None:
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {})


async def _headers(client: Client) -> None:
    """Everything that has a name."""
    await _every_tool(client)
    for resource in (await client.list_resources()).resources:
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts:
        await client.get_prompt(prompt.name)


async def _custom_headers(client: Client) -> None:
    await client.list_tools()
    for call in json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])["toolCalls"]:
        await client.call_tool(call["name"], call["arguments"])


async def _invalid_tools(client: Client) -> None:
    """By name also those that the gateway must not have listed."""
    await client.list_tools()
    await client.call_tool("valid_tool", {"region": "eu"})
    names = ("empty_header", "object_header", "array_header", "null_header", "number_header",
             "duplicate_same_case", "duplicate_diff_case", "space_in_name", "colon_in_name",
             "non_ascii_name", "control_char_name")  # fmt: skip
    for name in names:
        try:
            await client.call_tool(f"invalid_{name}", {"value": "x"})
        except MCPError as error:
            print(f"{name}: {error}", file=sys.stderr)


async def _echoes_a_schema(client: Client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    await client.call_tool("json_schema_echo", {"schema": schema})


async def _rounds(client: Client) -> None:
    await client.list_tools()
    echo = asyncio.ensure_future(client.call_tool("test_mrtr_echo_state", {}))
    await client.call_tool("test_mrtr_unrelated", {})
    await echo
    await client.call_tool("test_mrtr_no_state", {})
    await client.call_tool("test_mrtr_no_result_type", {})


SCENARIOS: dict[str, Scenario] = {
    "initialize": _lists,
    "tools_call": _adds,
    "elicitation-sep1034-client-defaults": _every_tool,
    "sse-retry": _every_tool,
    "request-metadata": _lists,
    "http-standard-headers": _headers,
    "http-custom-headers": _custom_headers,
    "http-invalid-tool-headers": _invalid_tools,
    "json-schema-ref-no-deref": _lists,
    "json-schema-2020-12-preservation": _echoes_a_schema,
    "sep-2322-client-request-state": _rounds,
}
LEGACY_IN_FRONT = {"http-invalid-tool-headers"}
"""A client of 2026-07-28 would leave such tools out itself."""


async def _accept(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult:
    """With the defaults of the form, where it has any."""
    schema: dict[str, Any] = getattr(params, "requested_schema", {})
    fields = schema.get("properties", {})
    content = {name: field["default"] for name, field in fields.items() if "default" in field}
    if "confirmed" in fields:
        content["confirmed"] = True
    return types.ElicitResult(action="accept", content=content)


async def _run(scenario: str, url: str) -> None:
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    old = version < "2026" or scenario in LEGACY_IN_FRONT
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="client-")))
        upstream: dict[str, Any] = {"url": url, "timeout_seconds": SECONDS}
        gate = Gateway(folder, {UPSTREAM: upstream})
        if scenario.startswith(client_auth.AUTH):
            upstream["credential"] = client_auth.configured(gate, scenario)
            gate.write_config(upstreams={UPSTREAM: upstream}, fetch=client_auth.reach())
        headers = {"Authorization": f"Bearer {gate.key('suite')}"}
        await stack.enter_async_context(gate)
        http = await stack.enter_async_context(create_mcp_http_client(headers))
        try:
            transport = streamable_http_client(f"{gate.url}/{UPSTREAM}", http_client=http)
            client = Client(
                transport, mode="legacy" if old else version, cache=None,
                read_timeout_seconds=SECONDS, elicitation_callback=_accept,
            )  # fmt: skip
            do = SCENARIOS.get(scenario, client_auth.use)
            await do(await stack.enter_async_context(client))
        finally:
            print(gate.log[-4000:], file=sys.stderr)


async def _bounded(scenario: str, url: str) -> None:
    going = asyncio.current_task()
    assert going is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, going.cancel)
    async with asyncio.timeout(DEADLINE):
        await _run(scenario, url)


def main() -> int:
    scenario, url = os.environ["MCP_CONFORMANCE_SCENARIO"], sys.argv[-1]
    if scenario not in SCENARIOS and not scenario.startswith(client_auth.AUTH):
        print(f"{scenario}: nobody here knows what to do", file=sys.stderr)
        return 1
    asyncio.run(_bounded(scenario, url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
