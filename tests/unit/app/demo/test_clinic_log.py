from collections import Counter
from pathlib import Path

from mcp import Client

from lockgate.app.demo import clinic_data
from lockgate.app.demo.clinic import build
from lockgate.app.demo.clinic_log import read_log
from lockgate.app.demo.clinic_records import ClinicRecords


async def test_every_tool_call_that_arrives_is_counted_even_a_wrong_one(tmp_path: Path) -> None:
    clinic_data.prepare(tmp_path / "clinic.db")
    log = tmp_path / "access.log"
    server = build(ClinicRecords(tmp_path / "clinic.db"), access_log=log)
    assert read_log(log) == Counter()
    for mode in ("legacy", "2026-07-28"):
        async with Client(server, mode=mode, read_timeout_seconds=30) as client:
            await client.list_tools()
            assert not (await client.call_tool("get_patient", {"patient_id": "p-001"})).is_error
            assert (await client.call_tool("get_patient", {"patient_id": "nobody"})).is_error
    assert read_log(log) == {"get_patient": 4}


async def test_a_name_stays_on_its_line(tmp_path: Path) -> None:
    clinic_data.prepare(tmp_path / "clinic.db")
    log = tmp_path / "access.log"
    server = build(ClinicRecords(tmp_path / "clinic.db"), access_log=log)
    async with Client(server, mode="legacy", read_timeout_seconds=30) as client:
        assert (await client.call_tool("a\nget_patient", {})).is_error
    assert read_log(log) == {"a\\nget_patient": 1}
