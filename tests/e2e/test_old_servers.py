"""A server of 2024 behind a real gateway. ``conformance/test_old_servers.py`` has another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from support.old_servers import serves_every_era
from support.postgres import Server
from support.real_servers import program, said

pytestmark = [pytest.mark.e2e, pytest.mark.node]


@pytest.fixture
def old_server(postgres: Server) -> Iterator[dict[str, Any]]:
    """The reference server for PostgreSQL, on a database with one row."""
    with postgres.database(made=False) as url:
        name = url.partition("@/")[2].partition("?")[0]
        postgres.execute("CREATE TABLE ward (id integer, name text)", name)
        postgres.execute("INSERT INTO ward VALUES (1, 'north')", name)
        place = f"postgresql://postgres@localhost/{name}?host={postgres.folder}"
        yield {"command": program("mcp-server-postgres"), "args": [place], "env": {}}


async def test_a_server_of_2024_serves_clients_of_every_era(
    tmp_path: Path, old_server: dict[str, Any]
) -> None:
    async def work(client: Client) -> None:
        sql = {"sql": "SELECT name FROM ward"}
        assert '"north"' in said(await client.call_tool("query", sql))
        (ward,) = (await client.list_resources()).resources
        (columns,) = (await client.read_resource(ward.uri)).contents
        assert '"column_name": "id"' in columns.model_dump()["text"]

    await serves_every_era(tmp_path, old_server, work)
