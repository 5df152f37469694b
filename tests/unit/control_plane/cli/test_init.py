from pathlib import Path

from support.desk import Desk


def test_what_is_written_works(desk: Desk, tmp_path: Path) -> None:
    found = desk.type("init", "--dir", tmp_path / "new")
    assert found.code == 0
    assert "keys create" in found.out
    desk.config = tmp_path / "new" / "lockgate.yaml"
    assert desk.type("config", "check").code == 0


def test_nothing_is_overwritten(desk: Desk, tmp_path: Path) -> None:
    before = desk.config.read_text()
    found = desk.type("init", "--dir", tmp_path)
    assert found.code == 3
    assert "exists already" in found.err
    assert desk.config.read_text() == before


def test_json(desk: Desk, tmp_path: Path) -> None:
    found = desk.type("init", "--dir", tmp_path / "new", "--json").json
    assert isinstance(found, dict)
    assert found["written"][0].endswith("lockgate.yaml")
