from pathlib import Path

from lockgate.app.login.kept import open_store
from lockgate.app.login.keychain import Keychain
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.services.refused import Refused


def test_a_file_only_where_it_is_named(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path / "a"), InsecureFile)


def test_else_the_keychain_or_nothing() -> None:
    try:
        assert isinstance(open_store(None), Keychain)
    except Refused as refused:
        assert "--insecure-file" in refused.remedy  # noqa: PT017 - machines differ
