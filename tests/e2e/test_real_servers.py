"""Unmodified SDK clients of both eras reach servers that others wrote, through a real gateway."""

import asyncio
import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import (
    BlobResourceContents,
    EmbeddedResource,
    PromptReference,
    ResourceLink,
    ResourceTemplateReference,
    TextResourceContents,
)

from support.big_server import TOOLS
from support.client import McpClient, http_client
from support.real_servers import (
    FILE,
    MODES,
    House,
    client_of,
    client_past_the_gate,
    error_of,
    every_tool,
    listed,
    said,
)

pytestmark = [pytest.mark.e2e, pytest.mark.node]
LINK = "demo://resource/dynamic/text/1"
WAYS = pytest.mark.parametrize(
    ("way", "mode"), [(way, mode) for way in ("http", "stdio") for mode in MODES]
)


@pytest.fixture(scope="session")  # a worker of xdist may leave the module and come back to it
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    gate = House(tmp_path_factory.mktemp("house"))
    with gate:
        asyncio.run(first_list(gate))
        yield gate


async def first_list(gate: House) -> None:
    """With every server cold. None may be too slow to be in it."""
    async with client_of(gate, "http", "auto") as client:
        await every_tool(client)


def work(root: Path) -> dict[str, tuple[str, dict[str, Any], str]]:
    """For each server one tool, arguments and a part of what it has to answer. Not ``fetch``: it
    would need the network."""
    day = {"source_timezone": "UTC", "target_timezone": "Asia/Tokyo", "time": "12:00"}
    return {
        "time": ("convert_time", day, "T21:00:00+09:00"),
        "git": ("git_log", {"repo_path": str(root / "repository")}, "Add the rota"),
        "filesystem": ("read_text_file", {"path": str(root / "files" / "rota.txt")}, FILE),
        "everything": ("get-sum", {"a": 2, "b": 40}, "42"),
        "memory": ("read_graph", {}, '"entities": []'),
        "clinic": ("get_patient", {"patient_id": "p-001"}, "p-001"),
        "big": ("tool-007", {}, "tool-007"),
    }


@WAYS
async def test_every_server_does_its_work_at_one_endpoint(
    house: House, way: str, mode: str
) -> None:
    async with client_of(house, way, mode) as client:
        tools = await every_tool(client)
        assert {name.partition("__")[0] for name in tools} == set(house.settings["upstreams"])
        assert "fetch__fetch" in tools
        for upstream, (tool, arguments, answer) in work(house.root).items():
            result = await client.call_tool(f"{upstream}__{tool}", arguments)
            assert not result.is_error, result
            assert answer in said(result)


@pytest.mark.parametrize("mode", MODES)
async def test_every_server_does_its_work_under_its_own_names(house: House, mode: str) -> None:
    for upstream, (tool, arguments, answer) in work(house.root).items():
        async with client_of(house, "http", mode, upstream) as client:
            assert tool in await every_tool(client)
            assert answer in said(await client.call_tool(tool, arguments))


async def test_one_server_through_the_shim(house: House) -> None:
    async with client_of(house, "stdio", "auto", "git") as client:
        assert "git_log" in await every_tool(client)


async def test_lists_are_what_the_servers_say_themselves(house: House) -> None:
    async def both(upstream: str, settings: dict[str, Any]) -> None:
        log = house.folder / "direct.log"
        async with (
            client_past_the_gate(settings, log) as direct,
            # In whose processes nobody has left anything.
            client_of(house, "http", "legacy", upstream, who="bob") as through,
        ):
            assert await every_tool(through) == await every_tool(direct)
            for kind in ("resources", "resource_templates", "prompts"):
                found = await listed(through, kind)
                assert found == await listed(direct, kind), (upstream, kind)

    await asyncio.gather(*(both(*one) for one in house.real.items()))


@WAYS
async def test_links_in_results_lead_back_through_the_gate(
    house: House, way: str, mode: str
) -> None:
    async with client_of(house, way, mode) as client:
        result = await client.call_tool("everything__get-resource-links", {"count": 3})
        links = [block.uri for block in result.content if isinstance(block, ResourceLink)]
        assert len(links) == 3
        for uri in links:
            contents = (await client.read_resource(uri)).contents[0]
            assert contents.uri == uri
        result = await client.call_tool("everything__get-resource-reference", {"resourceId": 1})
        (held,) = [b.resource for b in result.content if isinstance(b, EmbeddedResource)]
        again = (await client.read_resource(held.uri)).contents[0]
        assert isinstance(again, TextResourceContents)
        assert "Resource 1" in again.text
        assert LINK in held.uri


@WAYS
async def test_resources_prompts_and_completion(house: House, way: str, mode: str) -> None:
    async with client_of(house, way, mode) as client:
        await _resources(client)
        await _prompts(client)
        await _completion(client)


async def _resources(client: Client) -> None:
    uris = {one.name: one.uri for one in (await client.list_resources()).resources}
    assert {"architecture.md", "knowledge-graph", "wards"} <= uris.keys()
    for name in ("architecture.md", "knowledge-graph", "wards"):
        contents = (await client.read_resource(uris[name])).contents[0]
        assert contents.uri == uris[name]
    listed = (await client.list_resource_templates()).resource_templates
    patient = {one.name: one.uri_template for one in listed}["patient"]
    read = await client.read_resource(patient.replace("{patient_id}", "p-002"))
    assert '"p-002"' in read.contents[0].model_dump_json().replace("\\", "")


async def _prompts(client: Client) -> None:
    prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert {"fetch__fetch", "clinic__discharge_summary", "everything__args-prompt"} <= prompts
    got = await client.get_prompt("everything__args-prompt", {"city": "Oslo"})
    assert "Oslo" in got.messages[0].model_dump_json()
    got = await client.get_prompt(
        "everything__resource-prompt", {"resourceType": "Text", "resourceId": "1"}
    )
    (held,) = [m.content for m in got.messages if isinstance(m.content, EmbeddedResource)]
    assert (await client.read_resource(held.resource.uri)).contents


async def _completion(client: Client) -> None:
    team = PromptReference(type="ref/prompt", name="everything__completable-prompt")
    found = await client.complete(team, {"name": "department", "value": "E"})
    assert found.completion.values == ["Engineering"]
    templates = (await client.list_resource_templates()).resource_templates
    patient = {one.name: one.uri_template for one in templates}["patient"]
    place = ResourceTemplateReference(type="ref/resource", uri=patient)
    found = await client.complete(place, {"name": "patient_id", "value": "p-00"})
    assert "p-001" in found.completion.values


@WAYS
async def test_progress_arrives(house: House, way: str, mode: str) -> None:
    steps: list[float] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with client_of(house, way, mode) as client:
        result = await client.call_tool(
            "everything__trigger-long-running-operation", {"duration": 0.2, "steps": 4},
            progress_callback=step,
        )  # fmt: skip
        assert not result.is_error
    assert steps == [1, 2, 3, 4]


@WAYS
async def test_errors_arrive_as_the_server_made_them(house: House, way: str, mode: str) -> None:
    async with client_of(house, way, mode) as client:
        for tool, arguments, words in (
            ("filesystem__read_text_file", {"path": "/etc/hostname"}, "Access denied"),
            ("time__get_current_time", {"timezone": "Mars/Base"}, "Mars/Base"),
            ("clinic__get_patient", {"patient_id": "p-999"}, "p-999"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert words in said(result)
            assert "lockgate/reason" not in (result.meta or {})
        uri = "lockgate+clinic:clinic://patients/p-999"
        error = await error_of(lambda: client.read_resource(uri))
        assert error.code == (-32002 if mode == "legacy" else -32602)  # each era has its own
        assert (error.data or {}).get("uri") == uri
        asked = {"patient_id": "p-999"}
        error = await error_of(lambda: client.get_prompt("clinic__discharge_summary", asked))
        assert error.code == -32602
        assert "p-999" in error.message


@WAYS
async def test_a_list_of_many_pages_is_followed(house: House, way: str, mode: str) -> None:
    async with client_of(house, way, mode, "big") as client:
        first = await client.list_tools()
        assert first.next_cursor
        assert len(first.tools) < TOOLS
        assert len(await every_tool(client)) == TOOLS
        assert said(await client.call_tool("tool-499", {"n": 2})) == "tool-499\ntool-499"


@WAYS
async def test_large_results_pass(house: House, way: str, mode: str) -> None:
    async with client_of(house, way, mode) as client:
        text = said(await client.call_tool("big__tool-001", {"n": 250_000}))
        assert len(text) == 9 * 250_000 - 1


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("upstream", ["parrot-legacy", "parrot-modern"])
async def test_what_no_specification_knows_keeps_its_bytes(
    house: House, upstream: str, era: str
) -> None:
    content = (
        '[{"type":"hologram","depth":1.50,"x":{"n":123456789012345678901234567890}},'
        '{"type":"text","text":"\\u00e9 \\ud83d\\ude00","annotations":{"future":[]}}]'
    )
    rest = '"structuredContent":{"z":[1.0,null]},"x-vendor":{"b":1,"a":1e2}'
    raw = f'{{"resultType":"complete","content":{content},{rest}}}'
    arguments = {"member": "result", "raw": raw}
    async with http_client() as http:
        client = McpClient(http, house.url, house.key("alice"))
        params = {"name": f"{upstream}__say", "arguments": arguments}
        if era == "legacy":
            await client.open()
        answer = await (client.legacy if era == "legacy" else client.modern)("tools/call", params)
    assert answer.reason == ""
    assert f'"content":{content}' in answer.text
    assert rest in answer.text


async def test_upstreams_start_together(house: House) -> None:
    """The first list takes as long as the slowest: all were asked before any had answered."""
    rows = house.rows(method="tools/list")
    whole = rows[0].call
    rows = [row for row in rows if row.call.partition(".")[0] == whole]
    asked = [row for row in rows if row.kind == "call.intent"]
    assert {row.upstream for row in asked} == set(house.settings["upstreams"])
    assert max(row.seq for row in asked) < min(r.seq for r in rows if r.kind == "call.outcome")


async def test_each_person_has_processes_of_their_own(house: House) -> None:
    """server-everything keeps files in its process: what alice left there, bob cannot reach."""
    made = {"name": "a.gz", "data": "data:text/plain,secret", "outputType": "resourceLink"}
    async with (
        client_of(house, "http", "auto", "everything") as alice,
        client_of(house, "http", "auto", "everything", who="bob") as bob,
    ):
        result = await alice.call_tool("gzip-file-as-resource", made)
        (link,) = [block.uri for block in result.content if isinstance(block, ResourceLink)]
        held = (await alice.read_resource(link)).contents[0]
        assert isinstance(held, BlobResourceContents)
        assert gzip.decompress(base64.b64decode(held.blob)) == b"secret"
        assert link in {one.uri for one in (await alice.list_resources()).resources}
        assert link not in {one.uri for one in (await bob.list_resources()).resources}
        await error_of(lambda: bob.read_resource(link))


async def test_a_server_is_told_only_what_it_needs(house: House) -> None:
    async with client_of(house, "http", "auto") as client:
        shown = json.loads(said(await client.call_tool("everything__get-env", {})))
    # PWD comes from the shell that npm's launcher is, LC_CTYPE from Python where there is no LANG
    # (PEP 538): neither tells a server anything about the gateway.
    assert shown.keys() <= {"PATH", "HOME", "LANG", "PWD", "LC_CTYPE"}


async def test_what_a_server_writes_is_there_for_the_next_client(house: House) -> None:
    entity = {"name": "ward-3", "entityType": "ward", "observations": ["has twelve beds"]}
    async with client_of(house, "stdio", "legacy") as client:
        await client.call_tool("memory__create_entities", {"entities": [entity]})
    async with client_of(house, "http", "2026-07-28") as client:
        found = await client.call_tool("memory__search_nodes", {"query": "beds"})
        assert "ward-3" in said(found)
        entities = {"entityNames": ["ward-3"]}
        assert not (await client.call_tool("memory__delete_entities", entities)).is_error
