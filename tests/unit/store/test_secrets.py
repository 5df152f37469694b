import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockgate.model import StoreDown
from lockgate.store.secrets import LocalSecrets, host_id


def test_each_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = LocalSecrets(tmp_path / "keys")
    pepper, sealing = first.pepper(), first.sealing_key()
    assert len(pepper) == len(sealing) == 32
    assert pepper != sealing
    again = LocalSecrets(tmp_path / "keys")
    assert (again.pepper(), again.sealing_key()) == (pepper, sealing)


def test_only_their_user_can_read_them(tmp_path: Path) -> None:
    LocalSecrets(tmp_path / "keys").pepper()
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    (made,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_one_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    LocalSecrets(tmp_path).pepper()
    (tmp_path / "pepper.key").chmod(mode)
    with pytest.raises(StoreDown, match="chmod 600"):
        LocalSecrets(tmp_path).pepper()


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"00" * 33, b"\xff" * 64, b"0" * 999])
def test_a_damaged_one_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pepper.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreDown, match="restore it") as refused:
        LocalSecrets(tmp_path).pepper()
    assert path.read_bytes() == content
    assert content.hex() not in str(refused.value) or not content


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    LocalSecrets(tmp_path).pepper()
    (tmp_path / "sealing.key").symlink_to(tmp_path / "pepper.key")
    with pytest.raises(StoreDown):
        LocalSecrets(tmp_path).sealing_key()


def test_a_link_to_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "pepper.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreDown):
        LocalSecrets(tmp_path).pepper()
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_that_cannot_be_made_is_store_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreDown, match="cannot read the secret"):
        LocalSecrets(tmp_path / "file" / "keys").pepper()


def test_many_that_start_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: LocalSecrets(tmp_path / "keys").pepper(), range(16)))
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["pepper.key"]


def test_a_host_keeps_its_name_and_no_two_share_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = host_id(tmp_path / "a")
    assert first == host_id(tmp_path / "a")
    assert len(first) == 16
    assert first != host_id(tmp_path / "b")


def test_a_name_that_cannot_be_kept_is_store_down(tmp_path: Path) -> None:
    with pytest.raises(StoreDown):
        host_id(tmp_path / "missing")
