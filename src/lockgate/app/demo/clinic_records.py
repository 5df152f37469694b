"""What the clinic's tools read and change: one method a tool, over SQLite.

A connection a call, so that calls may come from any thread and a killed server leaves no half
transaction. Money is kept in cents and leaves as a decimal with two places.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

Money = Annotated[
    Decimal,
    PlainSerializer(float, return_type=float),
    WithJsonSchema({"type": "number", "description": "Amount in dollars, two decimals."}),
]


class Refusal(ToolError):
    """The clinic will not do this, in words the model may read: no such record, or too much."""


class PatientName(BaseModel):
    patient_id: str
    name: str
    ward: str


class Patients(BaseModel):
    patients: list[PatientName]


class Patient(PatientName):
    birth_date: str = Field(description="YYYY-MM-DD")
    mrn: str = Field(description="Medical record number")
    ssn: str = Field(description="Social security number")
    phone: str
    care_team: list[str] = Field(description="Clinicians who treat this patient")


class Note(BaseModel):
    note_id: str
    patient_id: str
    author: str
    written_at: str = Field(description="UTC, RFC 3339")
    text: str


class Notes(BaseModel):
    notes: list[Note] = Field(description="Newest first")


class Invoice(BaseModel):
    invoice_id: str
    patient_id: str
    issued_on: str = Field(description="YYYY-MM-DD")
    item: str
    amount: Money
    refunded: Money


class Billing(BaseModel):
    patient_id: str
    invoices: list[Invoice]
    balance: Money = Field(description="Invoiced less refunded")


class MonthTotals(BaseModel):
    month: str = Field(description="YYYY-MM, by the date of the invoice")
    invoices: int
    invoiced: Money
    refunded: Money


class PhoneChange(BaseModel):
    patient_id: str
    phone: str


class Prescription(BaseModel):
    patient_id: str
    drug: str
    dose_mg: int
    before_mg: int | None = Field(description="The dose until now")


class Refund(BaseModel):
    refund_id: str
    invoice_id: str
    amount: Money
    refundable: Money = Field(description="What may still be refunded on this invoice")


class Deletion(BaseModel):
    patient_id: str
    notes_deleted: int
    invoices_deleted: int


class WardExport(BaseModel):
    ward: str
    rows: int
    patients: list[Patient]
    notes: list[Note]


class WardCount(BaseModel):
    ward: str
    patients: int


class ClinicRecords:
    """The clinic's database. Every method raises ``Refusal`` for a record that is not there."""

    def __init__(self, database: Path) -> None:
        self._database = database

    @contextmanager
    def _open(self, begin: str = "BEGIN") -> Iterator[sqlite3.Connection]:
        """One transaction: whole on a normal exit, nothing of it on an exception."""
        with closing(sqlite3.connect(self._database, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(begin)
            with db:
                yield db

    def _change(self) -> AbstractContextManager[sqlite3.Connection]:
        # The write lock from the start: what was checked is still so when it is acted on.
        return self._open("BEGIN IMMEDIATE")

    def find(self, name_contains: str, ward: str | None) -> Patients:
        # Folded in Python: SQLite's LIKE folds ASCII letters only, and these are people's names.
        wanted = name_contains.casefold()
        with self._open() as db:
            rows = db.execute("SELECT patient_id, name, ward FROM patients ORDER BY patient_id")
            return Patients(
                patients=[
                    PatientName(**row)
                    for row in rows
                    if wanted in row["name"].casefold() and ward in (None, row["ward"])
                ]
            )

    def patient(self, patient_id: str) -> Patient:
        with self._open() as db:
            row = _one(db, "SELECT * FROM patients WHERE patient_id = ?", patient_id)
            team = db.execute(
                "SELECT clinician FROM care_team WHERE patient_id = ? ORDER BY clinician",
                (patient_id,),
            )
            return Patient(**row, care_team=[who for (who,) in team])

    def notes(self, patient_id: str, limit: int) -> Notes:
        with self._open() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            rows = db.execute(
                "SELECT * FROM written WHERE patient_id = ?"
                " ORDER BY written_at DESC, number DESC LIMIT ?",
                (patient_id, limit),
            )
            return Notes(notes=[_note(row) for row in rows])

    def billing(self, patient_id: str) -> Billing:
        with self._open() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            rows = db.execute(
                "SELECT * FROM billed WHERE patient_id = ? ORDER BY invoice_id", (patient_id,)
            )
            invoices = [_invoice(row) for row in rows]
        balance = sum((i.amount - i.refunded for i in invoices), Decimal(0))
        return Billing(patient_id=patient_id, invoices=invoices, balance=balance)

    def totals(self, month: str) -> MonthTotals:
        with self._open() as db:
            count, cents, back = db.execute(
                "SELECT count(*), coalesce(sum(cents), 0), coalesce(sum(refunded_cents), 0)"
                " FROM billed WHERE substr(issued_on, 1, 7) = ?",
                (month,),
            ).fetchone()
        return MonthTotals(
            month=month, invoices=count, invoiced=_dollars(cents), refunded=_dollars(back)
        )

    def add_note(self, patient_id: str, author: str, text: str) -> Note:
        with self._change() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            number = db.execute(
                "INSERT INTO notes (patient_id, author, text) VALUES (?, ?, ?)",
                (patient_id, author, text),
            ).lastrowid
            return _note(db.execute("SELECT * FROM written WHERE number = ?", (number,)).fetchone())

    def update_phone(self, patient_id: str, phone: str) -> PhoneChange:
        with self._change() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            db.execute("UPDATE patients SET phone = ? WHERE patient_id = ?", (phone, patient_id))
        return PhoneChange(patient_id=patient_id, phone=phone)

    def refund(self, invoice_id: str, amount: Decimal) -> Refund:
        """Pay back part of an invoice. Refused when more than what is left of it."""
        cents = int(amount * 100)
        with self._change() as db:
            row = _one(db, "SELECT * FROM billed WHERE invoice_id = ?", invoice_id)
            left = row["cents"] - row["refunded_cents"]
            if cents > left:
                raise Refusal(f"{invoice_id} can be refunded by at most {_dollars(left)}")
            number = db.execute(
                "INSERT INTO refunds (invoice_id, cents) VALUES (?, ?)", (invoice_id, cents)
            ).lastrowid
        return Refund(
            refund_id=f"r-{number:03d}",
            invoice_id=invoice_id,
            amount=_dollars(cents),
            refundable=_dollars(left - cents),
        )

    def prescribe(self, patient_id: str, drug: str, dose_mg: int) -> Prescription:
        with self._change() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            row = db.execute(
                "SELECT dose_mg FROM prescriptions WHERE patient_id = ? AND drug = ?",
                (patient_id, drug),
            ).fetchone()
            db.execute(
                "INSERT INTO prescriptions VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET dose_mg = excluded.dose_mg",
                (patient_id, drug, dose_mg),
            )
        before = row["dose_mg"] if row else None
        return Prescription(patient_id=patient_id, drug=drug, dose_mg=dose_mg, before_mg=before)

    def delete(self, patient_id: str) -> Deletion:
        """Remove a patient with everything that refers to them. There is no way back."""
        with self._change() as db:
            _one(db, "SELECT 1 FROM patients WHERE patient_id = ?", patient_id)
            counts = db.execute(
                "SELECT (SELECT count(*) FROM notes WHERE patient_id = :id),"
                " (SELECT count(*) FROM invoices WHERE patient_id = :id)",
                {"id": patient_id},
            ).fetchone()
            db.execute("DELETE FROM patients WHERE patient_id = ?", (patient_id,))
        return Deletion(patient_id=patient_id, notes_deleted=counts[0], invoices_deleted=counts[1])

    def wards(self) -> list[WardCount]:
        with self._open() as db:
            rows = db.execute("SELECT ward, count(*) AS patients FROM patients GROUP BY ward")
            return [WardCount(**row) for row in rows]

    def ids_starting(self, start: str) -> list[str]:
        with self._open() as db:
            rows = db.execute("SELECT patient_id FROM patients ORDER BY patient_id")
            return [found for (found,) in rows if found.startswith(start)]


def _one(db: sqlite3.Connection, query: str, record_id: str) -> Any:
    row = db.execute(query, (record_id,)).fetchone()
    if row is None:
        raise Refusal(f"there is no {record_id}")
    return row


def _note(row: Any) -> Note:
    return Note(**{key: row[key] for key in Note.model_fields})


def _invoice(row: Any) -> Invoice:
    kept = {key: row[key] for key in ("invoice_id", "patient_id", "issued_on", "item")}
    refunded = _dollars(row["refunded_cents"])
    return Invoice(**kept, amount=_dollars(row["cents"]), refunded=refunded)


def _dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100
