import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.app.demo import clinic_data
from lockgate.app.demo.clinic_records import ClinicRecords, Refund, Refusal


@pytest.fixture
def records(tmp_path: Path) -> ClinicRecords:
    clinic_data.prepare(tmp_path / "clinic.db")
    return ClinicRecords(tmp_path / "clinic.db")


def test_names_are_found_in_any_case_and_script(records: ClinicRecords) -> None:
    assert [p.patient_id for p in records.find("LÉO NONE", None).patients] == ["p-012"]
    assert [p.patient_id for p in records.find("", "oncology").patients] == [
        "p-004", "p-005", "p-006",
    ]  # fmt: skip
    assert records.find("ada", "oncology").patients == []


@pytest.mark.parametrize("pattern", ["%", "_", "' OR '1'='1", "\x00"])
def test_a_name_is_text_and_never_a_pattern_or_sql(records: ClinicRecords, pattern: str) -> None:
    assert records.find(pattern, None).patients == []


def test_notes_come_newest_first_up_to_the_limit(records: ClinicRecords) -> None:
    assert [n.note_id for n in records.notes("p-001", 2).notes] == ["n-003", "n-002"]


def test_a_new_note_gets_the_next_id_and_is_the_newest(records: ClinicRecords) -> None:
    added = records.add_note("p-002", "alice", "Discharged.")
    assert added.note_id == f"n-{len(clinic_data.NOTES) + 1:03d}"
    assert records.notes("p-002", 1).notes == [added]


def test_money_is_exact(records: ClinicRecords) -> None:
    cents = sum(i[4] for i in clinic_data.INVOICES if i[2].startswith("2026-09"))
    totals = records.totals("2026-09")
    assert (totals.invoices, totals.invoiced) == (11, Decimal(cents) / 100)
    assert records.totals("1999-01").invoiced == 0


def test_a_refund_shows_in_billing_and_totals(records: ClinicRecords) -> None:
    paid = records.refund("i-002", Decimal("20.10"))
    assert (paid.refund_id, paid.refundable) == ("r-001", Decimal("64.40"))
    billing = records.billing("p-001")
    assert [i.refunded for i in billing.invoices] == [Decimal(0), Decimal("20.1")]
    assert billing.balance == Decimal("12514.40")
    assert records.totals("2026-09").refunded == Decimal("20.1")


def test_refunds_at_once_never_exceed_the_invoice(records: ClinicRecords) -> None:
    def pay(_: int) -> Refund | Refusal:
        try:
            return records.refund("i-013", Decimal("10.00"))
        except Refusal as refused:
            return refused

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(pay, range(16)))
    assert sum(isinstance(o, Refund) for o in outcomes) == 3
    assert records.billing("p-012").invoices[0].refunded == 30


def test_deleting_takes_everything_along(records: ClinicRecords) -> None:
    gone = records.delete("p-001")
    assert (gone.notes_deleted, gone.invoices_deleted) == (3, 2)
    assert "p-001" not in records.ids_starting("p-")
    with pytest.raises(Refusal):
        records.refund("i-002", Decimal(1))


def test_wards_are_counted(records: ClinicRecords) -> None:
    assert {w.ward: w.patients for w in records.wards()} == dict.fromkeys(clinic_data.WARDS, 3)


def test_a_phone_number_is_replaced(records: ClinicRecords) -> None:
    records.update_phone("p-003", "+1-202-555-0199")
    assert records.patient("p-003").phone == "+1-202-555-0199"


def test_every_method_refuses_who_is_not_there(records: ClinicRecords) -> None:
    for attempt in (
        lambda: records.patient("p-999"),
        lambda: records.notes("p-999", 1),
        lambda: records.billing("p-999"),
        lambda: records.add_note("p-999", "alice", "x"),
        lambda: records.update_phone("p-999", "+1-202-555-0199"),
        lambda: records.delete("p-999"),
        lambda: records.refund("i-999", Decimal(1)),
    ):
        with pytest.raises(Refusal, match="there is no"):
            attempt()


@given(cents=st.integers(1, 10**8))
def test_an_amount_keeps_its_two_decimals_in_json(cents: int) -> None:
    amount = Decimal(cents) / 100
    sent = Refund(refund_id="r", invoice_id="i", amount=amount, refundable=Decimal(0))
    assert Decimal(str(json.loads(sent.model_dump_json())["amount"])) == amount
