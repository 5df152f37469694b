import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.settings import Settings
from lockgate.app.stores import EMBEDDED, database_of, have_stores, load_extra, stores_of
from lockgate.model import StoreDown
from lockgate.model.reference import ReferenceBroken


def settings(**blocks: Any) -> Settings:
    return Settings.model_validate(blocks)


def test_stores_are_there_once_they_were_opened(tmp_path: Path) -> None:
    asked = settings(data_dir=str(tmp_path / "data"))
    assert not have_stores(asked)
    opened = stores_of(asked)
    try:
        assert have_stores(asked)
        assert (tmp_path / "data" / EMBEDDED).exists()
        assert opened.host
    finally:
        opened.engine.dispose()


def test_a_database_is_named_by_reference_and_a_broken_one_closes_the_gate(
    tmp_path: Path,
) -> None:
    place = tmp_path / "url"
    place.write_text("postgresql://db.example/gate")
    assert database_of(settings(database=f"file:{place}")) == "postgresql://db.example/gate"
    assert database_of(settings()) == ""
    with pytest.raises(StoreDown, match="cannot be named"):
        database_of(settings(database=f"file:{tmp_path}/none"))


def test_an_extra_that_is_missing_is_named() -> None:
    assert load_extra("keyring").__name__ == "keyring"
    with pytest.raises(ReferenceBroken, match=r"lockgate\[aws\]"):
        load_extra("boto3.no_such_part")


def test_only_a_start_that_migrates_loads_what_migrates(tmp_path: Path) -> None:
    opening = (
        "import sys; from lockgate.app.stores import *; "
        f"open_stores(Path({str(tmp_path)!r})); print('alembic' in sys.modules)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", opening], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["True", "False"]
