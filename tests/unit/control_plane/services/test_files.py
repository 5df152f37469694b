from pathlib import Path

import pytest

from lockgate.control_plane.services.files import (
    MAX_BYTES,
    back_up,
    make_private_dir,
    read_text,
    write_new,
    write_whole,
)
from lockgate.control_plane.services.refused import Refused


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_read(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"\xef\xbb\xbfhello")
    assert read_text(file) == "hello"


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_text(tmp_path / "gone")
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(Refused, match="not UTF-8"):
        read_text(tmp_path / "latin")
    with (tmp_path / "big").open("wb") as big:
        big.truncate(MAX_BYTES + 1)
    with pytest.raises(Refused, match="larger than"):
        read_text(tmp_path / "big")


def test_write_whole_keeps_the_mode_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    file.chmod(0o640)
    write_whole(file, "new")
    assert (file.read_text(), mode(file)) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_is_private_and_its_directory_made(tmp_path: Path) -> None:
    file = tmp_path / "d" / "a"
    write_whole(file, "x")
    assert mode(file) == 0o600


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_whole(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        write_whole(tmp_path / "file" / "a", "x")
    with pytest.raises(Refused, match="cannot be made"):
        write_new(tmp_path / "file" / "a", "x")
    (tmp_path / "dir").mkdir()
    with pytest.raises(Refused, match="cannot be written"):
        write_whole(tmp_path / "dir", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dir", "file"]


def test_write_new_never_overwrites(tmp_path: Path) -> None:
    write_new(tmp_path / "a", "first", 0o600)
    with pytest.raises(Refused, match="exists already"):
        write_new(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert mode(tmp_path / "a") == 0o600


def test_a_private_directory(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    make_private_dir(tmp_path / "d")
    assert mode(tmp_path / "d") == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be made private"):
        make_private_dir(tmp_path / "file" / "d")


def test_backups_do_not_overwrite_each_other(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    assert back_up(file, "t") is None
    file.write_text("1")
    first = back_up(file, "t")
    file.write_text("2")
    second = back_up(file, "t")
    assert first is not None
    assert second is not None
    assert (first.read_text(), second.read_text()) == ("1", "2")
    assert mode(first) == 0o600
