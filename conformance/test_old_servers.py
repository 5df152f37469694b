"""A Python server of spring 2025, with the SDK of that time, behind a real gateway. Not one of the
quick tests: it needs an environment of its own, which ``scripts/setup_old_servers.sh`` makes."""

from pathlib import Path

from mcp import Client

from conformance.suite import ROOT
from support.old_servers import serves_every_era
from support.real_servers import said

SERVER = ROOT / ".tools" / "old-servers" / "bin" / "mcp-server-sqlite"


async def test_a_server_of_2024_serves_clients_of_every_era(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        made = {"query": "CREATE TABLE IF NOT EXISTS ward (name TEXT)"}
        assert not (await client.call_tool("create_table", made)).is_error
        added = {"query": "INSERT INTO ward VALUES ('north')"}
        assert "affected_rows" in said(await client.call_tool("write_query", added))
        asked = {"query": "SELECT name FROM ward"}
        assert "north" in said(await client.call_tool("read_query", asked))
        (memo,) = (await client.list_resources()).resources
        assert (await client.read_resource(memo.uri)).contents
        (prompt,) = (await client.list_prompts()).prompts
        assert (await client.get_prompt(prompt.name, {"topic": "wards"})).messages

    place = str(tmp_path / "wards.db")
    server = {"command": str(SERVER), "args": ["--db-path", place], "env": {}}
    await serves_every_era(tmp_path, server, work)
