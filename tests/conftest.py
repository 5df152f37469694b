"""What tests of several rooms share: fresh databases of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lockgate.store.migrate import upgrade
from lockgate.store.postgresql import open_postgresql
from lockgate.store.sqlite import open_sqlite
from support.postgres import Server, running_server
from support.secret_servers import Aws, Vault, running_aws, running_vault


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Started by the first test that asks for it; ends with the session."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """Of a fresh database with the newest schema."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    opened = open_sqlite(tmp_path / "db" / "lockgate.db", upgrade)
    yield opened
    opened.dispose()


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Engine]:
    opened = open_postgresql(postgres_url, upgrade)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def vault() -> Iterator[Vault]:
    with running_vault() as server:
        yield server


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with running_aws() as server:
        yield server
