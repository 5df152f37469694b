"""What only the file has to do; the rest is in tests/contract/test_login_stores.py."""

import os
from pathlib import Path

import msgspec
import pytest

from lockgate.app.login.store import InsecureFile, decoded, encoded
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import Scripted

GRANT = Scripted().grant()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "login.json"
    store = InsecureFile(file)
    store.put(GRANT)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(Refused, match="can be read by others"):
            store.get(GRANT.gateway)
        with pytest.raises(Refused, match="can be read by others"):
            store.put(GRANT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    store = InsecureFile(tmp_path / "login.json")
    store.put(GRANT)
    os.chown(tmp_path / "login.json", 12345, -1)
    with pytest.raises(Refused, match="can be read by others"):
        store.get(GRANT.gateway)


def test_a_login_to_another_gateway_is_not_overwritten(tmp_path: Path) -> None:
    store = InsecureFile(tmp_path / "login.json")
    store.put(GRANT)
    with pytest.raises(Refused, match="holds a login to"):
        store.put(msgspec.structs.replace(GRANT, gateway="https://other.example/mcp"))
    assert store.get(GRANT.gateway) == GRANT


def test_it_says_that_it_is_not_encrypted(tmp_path: Path) -> None:
    assert "not encrypted" in InsecureFile(tmp_path / "a").place


@pytest.mark.parametrize(
    "text", ["", "{}", '{"access_token":"at-1"}', "\xff", "[]", '{"gateway":1}']
)
def test_what_is_no_login_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    file = tmp_path / "login.json"
    file.write_bytes(text.encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises(Refused, match="is no login") as refused:
        InsecureFile(file).get("x")
    assert "at-1" not in str(refused.value)
    assert refused.value.__suppress_context__
    assert decoded(encoded(GRANT), "it") == GRANT


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "login.json").mkdir()
    with pytest.raises(Refused, match="cannot be read"):
        InsecureFile(tmp_path / "login.json").get("x")
