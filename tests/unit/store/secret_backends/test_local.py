import os
from pathlib import Path

import pytest

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.store.secret_backends.local import MOST_BYTES, EnvSecrets, FileSecrets, present


def at(path: Path) -> Reference:
    return Reference("file", str(path))


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ReferenceBroken, match="GONE is not set"):
        EnvSecrets({}).read(Reference("env", "GONE"))


def test_one_line_end_is_not_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for written, read in (("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")):
        path.write_bytes(written.encode())
        assert FileSecrets().read(at(path)).value == read


def test_the_age_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    os.utime(path, ns=(0, 1_700_000_000_123_000_000))
    assert FileSecrets().read(at(path)).made == 1_700_000_000_123


def test_an_unreadable_file_shows_nothing_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff secret")
    with pytest.raises(ReferenceBroken, match="not UTF-8 text") as caught:
        FileSecrets().read(at(path))
    assert "secret" not in str(caught.value)
    with pytest.raises(ReferenceBroken, match=r"cannot be read \(No such file"):
        FileSecrets().read(at(tmp_path / "gone"))


def test_a_secret_is_small(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(ReferenceBroken, match="larger"):
        FileSecrets().read(at(path))


def test_writing_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    FileSecrets().write(at(link), "new")
    assert link.is_symlink()
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "link"]


def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(ReferenceBroken, match="cannot be written"):
        FileSecrets().write(at(tmp_path / "none" / "a"), "new")
    with pytest.raises(ReferenceBroken, match="cannot be written"):
        FileSecrets().write(at(tmp_path), "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_no_secret() -> None:
    assert present(Reference("env", "A"), "a") == "a"
    with pytest.raises(ReferenceBroken, match="env:A is empty"):
        present(Reference("env", "A", "Bearer "), "")
