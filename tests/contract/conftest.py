"""A fresh embedded database for each test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lockgate.store.database import open_database
from lockgate.store.migrate import upgrade


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(tmp_path / "db" / "lockgate.db", upgrade)
    yield opened
    opened.dispose()
