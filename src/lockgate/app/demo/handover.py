"""The demo's last words: where it is, and what to put into a client to try it by hand."""

import orjson

from lockgate.app.demo.folder import ALICE, BOB, CALLERS, Folder
from lockgate.app.demo.narration import Narrator
from lockgate.app.office import this_program
from lockgate.control_plane.services.client_files import Client
from lockgate.control_plane.services.connect import Transport, Wish, snippet


def tell_how_to_try(narrator: Narrator, folder: Folder, url: str, *, open_now: bool) -> None:
    """``open_now``: the gateway stays open; otherwise this is how it would be."""
    below = "" if open_now else "This gateway ends now. `lockgate demo --serve` keeps one open."
    narrator.heading("Try it by hand", below)
    narrator.verbatim(f"URL          {url}   (one server alone: {url}/clinic)")
    for who in CALLERS:
        via = f", through {who.agent}" if who.agent else ""
        narrator.verbatim(f"key          {folder.key_file(who)}   {who.name}: {who.role}{via}")
    lockgate = f"lockgate -c {folder.config}"
    narrator.verbatim(f"journal      {lockgate} audit tail   (audit show CALL: one of them whole)")
    narrator.verbatim(f"policies     {folder.root / 'policies'}   taken in as soon as saved")
    narrator.verbatim("")
    narrator.verbatim("Claude Desktop, in claude_desktop_config.json:")
    narrator.verbatim(configuration(folder, url, "claude-desktop"))
    narrator.verbatim("")
    narrator.verbatim(
        f"Claude Code, as Bob: export LOCKGATE_KEY=$(cat {folder.key_file(BOB)}), .mcp.json:"
    )
    narrator.verbatim(configuration(folder, url, "claude-code"))
    narrator.verbatim("")
    narrator.verbatim("MCP Inspector:")
    narrator.verbatim(f"npx @modelcontextprotocol/inspector --cli {url} --transport http \\\n"
                      f'  --header "Authorization: Bearer $(cat {folder.key_file(ALICE)})" \\\n'
                      "  --method tools/list")  # fmt: skip


def configuration(folder: Folder, url: str, client: Client) -> str:
    """That client's own configuration, as JSON."""
    transport: Transport = "stdio" if client == "claude-desktop" else "http"
    wish = Wish(client, transport, url, this_program(), folder.key_file(ALICE))
    return orjson.dumps(snippet(wish), option=orjson.OPT_INDENT_2).decode()
