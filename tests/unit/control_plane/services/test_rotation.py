from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent, StoreDown
from support.secret_care import ENV, NEW, NOW, OLD, Care


@pytest.fixture
def care(tmp_path: Path, sqlite: Engine) -> Care:
    return Care(tmp_path, sqlite)


def recorded(care: Care) -> list[AuditEvent]:
    return [one.event for one in care.events.tail(100)]


def test_only_what_the_configuration_names_is_touched(care: Care) -> None:
    assert care.rotation.find(f"Bearer {care.file}") == care.file
    for text in ("env:OTHER", "plain", "env:"):
        with pytest.raises(Refused):
            care.rotation.find(text)


def test_a_probe_is_journalled_before_it_is_made_and_after(care: Care) -> None:
    found = care.rotation.probe(care.file)
    assert (found.result, found.wrong) == ("accepted", False)
    assert care.order == ["secret.probe", "ask shop", "secret.probed"]
    seen = care.ledger.all()[str(care.file)]
    assert (seen.probe, seen.probed) == ("accepted", NOW)


def test_the_worst_outcome_counts(care: Care) -> None:
    care.consumers["shop"].accepts.clear()
    assert care.rotation.probe(care.file).result == "refused"
    assert care.rotation.probe(ENV).result == "unproven"
    assert not care.rotation.probe(ENV).wrong


def test_what_cannot_be_read_is_asked_of_nobody(care: Care) -> None:
    care.path.unlink()
    found = care.rotation.probe(care.file)
    assert (found.result, found.wrong) == ("failing", True)
    assert care.consumers["shop"].asked == []


def test_the_new_one_is_accepted_and_the_old_one_is_refused(care: Care) -> None:
    care.consumers["shop"].accepts = {NEW}
    done = care.rotation.rotate(care.file, NEW)
    assert done.result == "proven"
    assert care.path.read_text() == f"{NEW}\n"
    assert care.order == ["secret.rotate", "ask shop", "ask shop", "secret.rotated"]
    assert care.consumers["shop"].asked == [NEW, OLD]
    assert recorded(care)[-1].header == {
        "action": "secret.rotated", "target": str(care.file), "result": "proven",
    }  # fmt: skip


def test_an_old_one_that_still_works_is_said(care: Care) -> None:
    care.consumers["shop"].accepts = {NEW, OLD}
    assert care.rotation.rotate(care.file, NEW).result == "old still accepted"


def test_its_end_may_be_waited_for(care: Care) -> None:
    accepts = care.consumers["shop"].accepts = {NEW, OLD}
    care.pauses = ["nothing", lambda: accepts.remove(OLD), "too many"]
    assert care.rotation.rotate(care.file, NEW, wait=60).result == "proven"
    assert len(care.pauses) == 1


def test_waiting_ends(care: Care) -> None:
    care.consumers["shop"].accepts = {NEW, OLD}
    care.pauses = ["nothing"] * 9
    assert care.rotation.rotate(care.file, NEW, wait=10).result == "old still accepted"
    assert len(care.pauses) == 7


def test_what_works_is_put_back_where_the_new_one_does_not(care: Care) -> None:
    done = care.rotation.rotate(care.file, NEW)
    assert done.result == "restored"
    assert care.path.read_text() == f"{OLD}\n"
    assert care.order == ["secret.rotate", "ask shop", "ask shop", "secret.restore",
                          "secret.rotated"]  # fmt: skip
    assert care.ledger.all()[str(care.file)].probe == "accepted"


def test_where_neither_works_the_new_one_stays(care: Care) -> None:
    care.consumers["shop"].accepts = set()
    assert care.rotation.rotate(care.file, NEW).result == "new refused"
    assert care.path.read_text() == f"{NEW}\n"


def test_what_nobody_could_be_asked_about_is_not_proven(care: Care) -> None:
    care.consumers["shop"].outcome = "unreachable"
    assert care.rotation.rotate(care.file, NEW).result == "unproven"


@pytest.mark.parametrize("value", ["", OLD, "a\nb", "a\0b", "x" * 70_000])
def test_what_is_no_new_value_changes_nothing(care: Care, value: str) -> None:
    with pytest.raises(Refused):
        care.rotation.rotate(care.file, value)
    assert care.path.read_text() == f"{OLD}\n"
    assert care.order == []


def test_what_cannot_be_written_is_said_and_recorded(care: Care) -> None:
    with pytest.raises(Refused, match="cannot be written from here"):
        care.rotation.rotate(ENV, NEW)
    assert care.order == ["secret.rotate", "secret.rotated"]
    assert recorded(care)[-1].header["result"] == "failed"


def test_without_a_journal_nothing_is_done(care: Care, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def append(self, events: Sequence[AuditEvent]) -> None:
            raise StoreDown("no disk")

    care.events = Down()  # type: ignore[assignment]
    for act in (
        lambda: care.rotation.rotate(care.file, NEW),
        lambda: care.rotation.probe(care.file),
    ):
        with pytest.raises(StoreDown):
            act()
    assert care.path.read_text() == f"{OLD}\n"
    assert care.consumers["shop"].asked == []


def test_what_we_made_has_an_age(care: Care) -> None:
    care.consumers["shop"].accepts = {NEW}
    care.rotation.rotate(care.file, NEW)
    assert care.ledger.all()[str(care.file)].made > 0


def test_no_value_is_journalled_or_shown(care: Care) -> None:
    care.consumers["shop"].accepts = {NEW}
    shown = repr(care.rotation.rotate(care.file, NEW)) + repr(recorded(care))
    assert OLD not in shown
    assert NEW not in shown
