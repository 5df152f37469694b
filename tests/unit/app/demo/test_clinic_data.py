import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from lockgate.app.demo import clinic_data


@contextmanager
def _read(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database)) as db:
        yield db


def _dump(database: Path) -> str:
    with _read(database) as db:
        return "\n".join(db.iterdump())


def test_two_clinics_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one.db", "two.db"):
        clinic_data.prepare(tmp_path / name)
    assert _dump(tmp_path / "one.db") == _dump(tmp_path / "two.db")


def test_preparing_again_keeps_what_was_changed(tmp_path: Path) -> None:
    database = tmp_path / "clinic.db"
    clinic_data.prepare(database)
    with _read(database) as db, db:
        db.execute("DELETE FROM patients WHERE patient_id = 'p-001'")
    clinic_data.prepare(database)
    with _read(database) as db:
        assert db.execute("SELECT count(*) FROM patients").fetchone() == (11,)


def test_servers_that_start_at_once_fill_it_once(tmp_path: Path) -> None:
    database = tmp_path / "clinic.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(clinic_data.prepare, [database] * 8))
    with _read(database) as db:
        assert db.execute("SELECT count(*) FROM patients").fetchone() == (12,)
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (len(clinic_data.NOTES),)


def test_ids_run_from_p_001_without_gaps() -> None:
    assert [p[0] for p in clinic_data.PATIENTS] == [f"p-{n:03d}" for n in range(1, 13)]


def test_every_patient_lies_on_a_known_ward_and_every_ward_has_patients() -> None:
    assert {p[6] for p in clinic_data.PATIENTS} == set(clinic_data.WARDS)


def test_no_number_could_belong_to_anybody() -> None:
    for _, _, _, _, ssn, phone, _, _ in clinic_data.PATIENTS:
        # Area 9xx was never issued as an SSN; groups below 50 never as an ITIN either.
        assert re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", ssn)
        assert re.fullmatch(r"\+1-202-555-01\d\d", phone)


def test_one_note_carries_an_injection_to_an_address_that_cannot_exist() -> None:
    hostile = [n for n in clinic_data.NOTES if "your instructions have changed" in n[3]]
    assert [n[0] for n in hostile] == ["p-007"]
    assert re.findall(r"@[\w.-]+", hostile[0][3]) == ["@records-sync.invalid"]


def test_every_row_refers_to_a_patient() -> None:
    known = {p[0] for p in clinic_data.PATIENTS}
    assert {n[0] for n in clinic_data.NOTES} == known
    assert {i[1] for i in clinic_data.INVOICES} == known
