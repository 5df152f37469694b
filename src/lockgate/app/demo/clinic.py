"""The clinic: a small MCP server with patients, notes and billing, to try the gateway on.

    python -m lockgate.app.demo.clinic --database clinic.db               (stdio)
    python -m lockgate.app.demo.clinic --http 8931 --database clinic.db   (http://127.0.0.1:8931/mcp)

Like most servers it trusts whoever calls: it asks for no credential and has no idea of roles. Who
may do what is the gateway's business; the policy is in ``policies/clinic.cedar``.
"""

import asyncio
import socket
import sqlite3
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import anyio
import typer
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
    ToolAnnotations,
)
from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema

from lockgate.app.demo import clinic_data
from lockgate.app.demo.clinic_data import Ward
from lockgate.app.demo.clinic_log import AccessLog
from lockgate.app.demo.clinic_records import (
    Billing,
    ClinicRecords,
    Deletion,
    MonthTotals,
    Note,
    Notes,
    Patient,
    Patients,
    PhoneChange,
    Prescription,
    Refund,
    Refusal,
    WardCount,
    WardExport,
)

INSTRUCTIONS = "Records of a clinic. Find a patient first; every other tool takes the patient_id."
COMPLETIONS = 100
"""How many values one completion may carry (MCP, completion/complete)."""


def _number(value: Any) -> Any:
    # Pydantic would also take "20.00" and true; the published schema says number, so only that.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a JSON number")
    return value


PatientId = Annotated[str, Field(pattern=r"^p-[0-9]{3}$", description="For example p-001")]
InvoiceId = Annotated[str, Field(pattern=r"^i-[0-9]{3}$", description="For example i-001")]
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]
Name = Annotated[str, Field(max_length=80, description="Part of the name, in any case")]
Limit = Annotated[int, Field(ge=1, le=50, description="At most so many notes, newest first")]
Author = Annotated[str, Field(min_length=1, max_length=80, description="Who writes the note")]
Text = Annotated[str, Field(min_length=1, max_length=4000, description="The note")]
Phone = Annotated[str, Field(pattern=r"^\+[0-9][0-9-]{6,18}$", description="+1-202-555-0100")]
Amount = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(gt=0, le=1_000_000, decimal_places=2),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1_000_000,
            "description": "Dollars, at most two decimals",
        }
    ),
]
Drug = Annotated[str, Field(pattern=r"^[a-z]{3,40}$", description="Generic name")]
Dose = Annotated[int, Field(ge=1, le=10_000, strict=True, description="Milligrams a day")]
ExportedWard = Annotated[Ward, Field(json_schema_extra={"x-mcp-header": "Ward"})]
"""Mirrored in ``Mcp-Param-Ward`` over HTTP, so that the demo crosses that rule too."""


class ClinicTools(NamedTuple):
    """One method a tool. Names, signatures and docstrings are what ``tools/list`` shows."""

    records: ClinicRecords
    row_delay: float
    """Seconds that ``export_ward`` spends on each row."""

    def find_patients(self, name_contains: Name, ward: Ward | None = None) -> Patients:
        """Find patients by a part of their name, on one ward or on all. Gives ids and wards."""
        return self.records.find(name_contains, ward)

    def get_patient(self, patient_id: PatientId) -> Patient:
        """Read a patient's master data: birth date, identifiers, phone, ward and care team."""
        return self.records.patient(patient_id)

    def read_notes(self, patient_id: PatientId, limit: Limit = 10) -> Notes:
        """Read what clinicians wrote about a patient, newest first."""
        return self.records.notes(patient_id, limit)

    def get_billing(self, patient_id: PatientId) -> Billing:
        """Read a patient's invoices with what was refunded on each."""
        return self.records.billing(patient_id)

    def billing_totals(self, month: Month) -> MonthTotals:
        """Add up the invoices of one month. Names no patient."""
        return self.records.totals(month)

    def add_note(self, patient_id: PatientId, author: Author, text: Text) -> Note:
        """Add a note to a patient's record. Notes cannot be changed afterwards."""
        return self.records.add_note(patient_id, author, text)

    def update_phone(self, patient_id: PatientId, phone: Phone) -> PhoneChange:
        """Replace a patient's phone number."""
        return self.records.update_phone(patient_id, phone)

    def refund(self, invoice_id: InvoiceId, amount: Amount) -> Refund:
        """Pay back an invoice or a part of it."""
        return self.records.refund(invoice_id, amount)

    def update_prescription(self, patient_id: PatientId, drug: Drug, dose_mg: Dose) -> Prescription:
        """Set what a patient takes of a drug each day."""
        return self.records.prescribe(patient_id, drug, dose_mg)

    def delete_patient(self, patient_id: PatientId) -> Deletion:
        """Delete a patient with all notes and invoices, for good."""
        return self.records.delete(patient_id)

    async def export_ward(self, ward: ExportedWard, ctx: Context[Any, Any]) -> WardExport:
        """Export all patients of a ward with all their notes. Slow; reports progress by row."""
        listed = self.records.find("", ward).patients
        patients = [self.records.patient(p.patient_id) for p in listed]
        notes = [n for p in listed for n in self.records.notes(p.patient_id, 1000).notes]
        total = len(patients) + len(notes)
        for row in range(1, total + 1):
            await ctx.report_progress(row, total, f"row {row} of {total}")
            await anyio.sleep(self.row_delay)
        return WardExport(ward=ward, rows=total, patients=patients, notes=notes)


def build(
    records: ClinicRecords, row_delay: float = 0.0, access_log: Path | None = None
) -> MCPServer[Any]:
    """The server over ``records``, not yet on any transport."""
    server: MCPServer[Any] = MCPServer(
        "clinic",
        title="Clinic records (fictitious)",
        instructions=INSTRUCTIONS,
        version="1.0.0",
        tools=_tools(ClinicTools(records, row_delay)),
        log_level="WARNING",
        middleware=[AccessLog(access_log)] if access_log else [],
    )
    _add_resources(server, records)
    _add_prompt(server, records)
    _add_completion(server, records)
    return server


def _tools(clinic: ClinicTools) -> list[Tool]:
    hint = partial(ToolAnnotations, open_world_hint=False)
    read = hint(read_only_hint=True)
    add = hint(read_only_hint=False, destructive_hint=False, idempotent_hint=False)
    spend = hint(read_only_hint=False, destructive_hint=True, idempotent_hint=False)
    replace = hint(read_only_hint=False, destructive_hint=True, idempotent_hint=True)
    return [
        _tool(clinic.find_patients, "Find patients", read),
        _tool(clinic.get_patient, "Read a patient", read),
        _tool(clinic.read_notes, "Read notes", read),
        _tool(clinic.get_billing, "Read billing", read),
        _tool(clinic.billing_totals, "Billing totals of a month", read),
        _tool(clinic.export_ward, "Export a ward", read),
        _tool(clinic.add_note, "Add a note", add),
        _tool(clinic.update_phone, "Change a phone number", replace),
        _tool(clinic.refund, "Refund an invoice", spend),
        _tool(clinic.update_prescription, "Change a prescription", replace),
        _tool(clinic.delete_patient, "Delete a patient", replace),
    ]


def _tool(method: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    tool = Tool.from_function(method, title=title, annotations=annotations)
    # The SDK drops arguments that a tool does not have. Refuse them instead, and publish that.
    arguments = tool.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    tool.parameters = arguments.model_json_schema(by_alias=True)
    return tool


def _add_resources(server: MCPServer[Any], records: ClinicRecords) -> None:
    @server.resource("clinic://wards", title="Wards", mime_type="application/json")
    def wards() -> str:
        """The wards and how many patients each has."""
        return TypeAdapter(list[WardCount]).dump_json(records.wards()).decode()

    @server.resource(
        "clinic://patients/{patient_id}", title="Patient", mime_type="application/json"
    )
    def patient(patient_id: str) -> str:
        """A patient's master data."""
        try:
            return records.patient(patient_id).model_dump_json()
        except Refusal as missing:
            raise ResourceNotFoundError(str(missing)) from missing


def _add_prompt(server: MCPServer[Any], records: ClinicRecords) -> None:
    @server.prompt(title="Discharge summary")
    def discharge_summary(patient_id: PatientId) -> str:
        """Ask for a discharge summary from a patient's notes."""
        try:
            patient = records.patient(patient_id)
        except Refusal as missing:
            raise MCPError(code=INVALID_PARAMS, message=str(missing)) from missing
        written = reversed(records.notes(patient_id, 50).notes)
        notes = "\n".join(f"- {n.written_at[:10]} {n.author}: {n.text}" for n in written)
        return (
            f"Write a discharge summary for {patient.name} ({patient.mrn}, ward {patient.ward}). "
            f"Use only these notes, oldest first:\n\n{notes}"
        )


def _add_completion(server: MCPServer[Any], records: ClinicRecords) -> None:
    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(
        ref: PromptReference | ResourceTemplateReference,  # noqa: ARG001 both name the same thing
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG001
    ) -> Completion | None:
        if argument.name != "patient_id":
            return None
        found = records.ids_starting(argument.value)
        return Completion(
            values=found[:COMPLETIONS], total=len(found), has_more=len(found) > COMPLETIONS
        )


async def serve_http(server: MCPServer[Any], port: int) -> None:
    """Serve on 127.0.0.1. Port 0 takes any free one; the address is the first line on stdout."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            server.streamable_http_app(), log_level="warning", timeout_graceful_shutdown=2
        )
        await uvicorn.Server(config).serve(sockets=[listening])


def main(
    database: Annotated[Path, typer.Option(help="SQLite file; made and filled if need be.")],
    http: Annotated[int | None, typer.Option(help="Serve HTTP on this port of 127.0.0.1.")] = None,
    stdio: Annotated[bool, typer.Option("--stdio", help="Serve stdio (the default).")] = False,
    row_delay: Annotated[float, typer.Option(help="Seconds per row of export_ward.")] = 0.2,
    access_log: Annotated[Path | None, typer.Option(help="Add a line for each tool call.")] = None,
) -> None:
    """A small clinic with invented patients, as an MCP server."""
    if stdio and http is not None:
        raise typer.BadParameter("choose --stdio or --http, not both")
    try:
        clinic_data.prepare(database)
    except sqlite3.Error as unusable:
        raise typer.BadParameter(f"{database}: {unusable}") from unusable
    server = build(ClinicRecords(database), row_delay, access_log)
    if http is None:
        server.run("stdio")
    else:
        asyncio.run(serve_http(server, http))


if __name__ == "__main__":
    typer.run(main)
