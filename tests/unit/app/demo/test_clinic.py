import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
import typer
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from lockgate.app.demo import clinic_data
from lockgate.app.demo.clinic import build, main
from lockgate.app.demo.clinic_records import ClinicRecords

MODES = ("legacy", "2026-07-28")
READS = ["find_patients", "get_patient", "read_notes", "get_billing", "billing_totals"]
WRITES = ["add_note", "update_phone", "refund", "update_prescription", "delete_patient"]
TEMPLATE = types.ResourceTemplateReference(uri="clinic://patients/{patient_id}")
DEADLINE = 30.0


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    clinic_data.prepare(tmp_path / "clinic.db")
    return tmp_path / "clinic.db"


def _client(database: Path, mode: str, row_delay: float = 0.0) -> Client:
    server = build(ClinicRecords(database), row_delay)
    return Client(server, mode=mode, read_timeout_seconds=DEADLINE)


def _command(database: Path, *more: str) -> list[str]:
    return ["-m", "lockgate.app.demo.clinic", *more, "--database", str(database)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


async def _content(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def _refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


async def test_tools_say_what_they_take_give_and_do(database: Path, mode: str) -> None:
    async with _client(database, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [*READS, "export_ward", *WRITES]
    for name, tool in tools.items():
        assert tool.title
        assert tool.description
        assert tool.output_schema
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations
        assert tool.annotations.read_only_hint is (name not in WRITES)
    destructive = [n for n, t in tools.items() if t.annotations and t.annotations.destructive_hint]
    assert destructive == ["update_phone", "refund", "update_prescription", "delete_patient"]
    assert tools["refund"].input_schema["properties"]["amount"]["type"] == "number"


async def test_the_reading_tools(database: Path, mode: str) -> None:
    async with _client(database, mode) as client:
        found = await _content(client, "find_patients", name_contains="gwen", ward="psychiatry")
        assert found == {
            "patients": [{"patient_id": "p-007", "name": "Gwen Mockup", "ward": "psychiatry"}]
        }
        patient = await _content(client, "get_patient", patient_id="p-001")
        assert (patient["ssn"], patient["care_team"]) == ("912-14-0001", ["alice", "carol"])
        notes = await _content(client, "read_notes", patient_id="p-007")
        assert notes["notes"][1]["text"] == clinic_data.HOSTILE_TEXT
        billing = await _content(client, "get_billing", patient_id="p-001")
        assert [i["amount"] for i in billing["invoices"]] == [12450, 84.5]
        totals = await _content(client, "billing_totals", month="2026-08")
        assert totals == {"month": "2026-08", "invoices": 2, "invoiced": 4300.1, "refunded": 0}


async def test_the_writing_tools_last_beyond_the_connection(database: Path, mode: str) -> None:
    async with _client(database, mode) as client:
        await _content(client, "add_note", patient_id="p-002", author="alice", text="Home today.")
        await _content(client, "update_phone", patient_id="p-002", phone="+1-202-555-0150")
        refund = await _content(client, "refund", invoice_id="i-003", amount=99.99)
        assert refund["refundable"] == 80.01
        dose = {"patient_id": "p-001", "drug": "metoprolol", "dose_mg": 75}
        changed = await _content(client, "update_prescription", **dose)
        assert (changed["before_mg"], changed["dose_mg"]) == (50, 75)
        await _content(client, "delete_patient", patient_id="p-003")
    async with _client(database, mode) as client:
        notes = await _content(client, "read_notes", patient_id="p-002", limit=1)
        assert notes["notes"][0]["text"] == "Home today."
        patient = await _content(client, "get_patient", patient_id="p-002")
        assert patient["phone"] == "+1-202-555-0150"
        assert "no p-003" in await _refused(client, "get_patient", patient_id="p-003")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_patient", {}),
        ("get_patient", {"patient_id": "1"}),
        ("get_patient", {"patient_id": "p-001", "reason": "curious"}),
        ("find_patients", {"name_contains": "", "ward": "cellar"}),
        ("read_notes", {"patient_id": "p-001", "limit": 0}),
        ("billing_totals", {"month": "2026-13"}),
        ("update_phone", {"patient_id": "p-001", "phone": "call me"}),
        ("update_prescription", {"patient_id": "p-001", "drug": "metoprolol", "dose_mg": 0}),
        ("update_prescription", {"patient_id": "p-001", "drug": "metoprolol", "dose_mg": "75"}),
        ("update_prescription", {"patient_id": "p-099", "drug": "metoprolol", "dose_mg": 75}),
        ("refund", {"invoice_id": "i-002", "amount": "20.00"}),
        ("refund", {"invoice_id": "i-002", "amount": True}),
        ("refund", {"invoice_id": "i-002", "amount": 0}),
        ("refund", {"invoice_id": "i-002", "amount": 0.001}),
        ("refund", {"invoice_id": "i-002", "amount": 84.51}),
    ],
)
async def test_wrong_arguments_are_refused(
    database: Path, tool: str, arguments: dict[str, Any]
) -> None:
    async with _client(database, "2026-07-28") as client:
        assert await _refused(client, tool, **arguments)
    assert ClinicRecords(database).billing("p-001").invoices[1].refunded == 0


async def test_an_export_reports_every_row(database: Path, mode: str) -> None:
    seen: list[tuple[float, float | None]] = []
    arrived = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))
        if progress == total:
            arrived.set()

    async with _client(database, mode) as client:
        result = await client.call_tool(
            "export_ward", {"ward": "cardiology"}, progress_callback=report
        )
        async with asyncio.timeout(DEADLINE):
            await arrived.wait()
    assert result.structured_content
    assert result.structured_content["rows"] == 9
    assert len(result.structured_content["patients"]) == 3
    assert sorted(seen) == [(float(row), 9.0) for row in range(1, 10)]


async def test_a_slow_export_holds_up_nobody_and_can_be_cancelled(
    database: Path, mode: str
) -> None:
    started = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        started.set()

    async with _client(database, mode, row_delay=3600) as client, asyncio.timeout(DEADLINE):
        export = asyncio.create_task(
            client.call_tool("export_ward", {"ward": "oncology"}, progress_callback=report)
        )
        await started.wait()
        assert await _content(client, "find_patients", name_contains="ada")
        assert not export.done()
        export.cancel()
        with pytest.raises(asyncio.CancelledError):
            await export


async def test_resources(database: Path, mode: str) -> None:
    async with _client(database, mode) as client:
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert [r.uri for r in listed] == ["clinic://wards"]
        assert [t.uri_template for t in templates] == [TEMPLATE.uri]
        wards = (await client.read_resource("clinic://wards")).contents[0]
        patient = (await client.read_resource("clinic://patients/p-010")).contents[0]
        with pytest.raises(MCPError, match="no p-999") as missing:
            await client.read_resource("clinic://patients/p-999")
    assert isinstance(wards, types.TextResourceContents)
    assert {"ward": "maternity", "patients": 3} in json.loads(wards.text)
    assert isinstance(patient, types.TextResourceContents)
    assert patient.mime_type == "application/json"
    assert json.loads(patient.text)["name"] == "Jasper Lorem"
    assert missing.value.code == types.INVALID_PARAMS


async def test_the_prompt_carries_the_notes_oldest_first(database: Path, mode: str) -> None:
    async with _client(database, mode) as client:
        assert [p.name for p in (await client.list_prompts()).prompts] == ["discharge_summary"]
        prompt = await client.get_prompt("discharge_summary", {"patient_id": "p-001"})
        with pytest.raises(MCPError, match="no p-999"):
            await client.get_prompt("discharge_summary", {"patient_id": "p-999"})
    content = prompt.messages[0].content
    assert isinstance(content, types.TextContent)
    assert content.text.index("Chest pain") < content.text.index("One stent placed")


async def test_patient_ids_are_completed(database: Path, mode: str) -> None:
    prompt = types.PromptReference(name="discharge_summary")
    async with _client(database, mode) as client:
        for ref in (prompt, TEMPLATE):
            done = await client.complete(ref, {"name": "patient_id", "value": "p-01"})
            assert done.completion.values == ["p-010", "p-011", "p-012"]
        other = await client.complete(prompt, {"name": "weather", "value": ""})
        assert other.completion.values == []


async def test_over_stdio(tmp_path: Path, mode: str) -> None:
    started = StdioServerParameters(
        command=sys.executable, args=_command(tmp_path / "new.db"), env=_environment()
    )
    async with Client(started, mode=mode, read_timeout_seconds=DEADLINE) as client:
        assert (await _content(client, "get_patient", patient_id="p-001"))["name"] == "Ada Example"


@asynccontextmanager
async def _served(database: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_command(database, "--http", "0", "--row-delay", "0"),
        stdout=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(DEADLINE):
            yield (await process.stdout.readline()).decode().strip()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def test_over_http(tmp_path: Path) -> None:
    async with _served(tmp_path / "new.db") as url:
        for mode in MODES:
            async with Client(url, mode=mode, read_timeout_seconds=DEADLINE) as client:
                assert (await client.list_tools()).tools
                export = await _content(client, "export_ward", ward="maternity")
                assert export["rows"] == 6
        # The newer era mirrors the ward in a header; a client that has not listed cannot know.
        async with Client(url, mode=MODES[1], read_timeout_seconds=DEADLINE) as client:
            with pytest.raises(MCPError) as mismatch:
                await client.session.call_tool("export_ward", {"ward": "maternity"})
        assert mismatch.value.code == -32020


def test_two_transports_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="not both"):
        main(tmp_path / "new.db", http=0, stdio=True)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam,\n" * 100)
    with pytest.raises(typer.BadParameter, match="not a database"):
        main(letter)
    assert letter.read_text().startswith("Dear")
