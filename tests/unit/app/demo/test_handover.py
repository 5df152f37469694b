import json
from io import StringIO
from pathlib import Path

from lockgate.app.demo.folder import ALICE
from lockgate.app.demo.handover import configuration, tell_how_to_try
from lockgate.app.demo.narration import Narrator
from support.demo_stage import folder_of

URL = "http://127.0.0.1:4711/mcp"


def test_it_ends_with_the_url_and_configurations_to_copy(tmp_path: Path) -> None:
    out, folder = StringIO(), folder_of(tmp_path)
    tell_how_to_try(Narrator(out), folder, URL, open_now=True)
    text = out.getvalue()
    assert URL in text
    desktop = json.loads(configuration(folder, URL, "claude-desktop"))["mcpServers"]["lockgate"]
    assert desktop["args"][-4:] == ["--url", URL, "--key-file", str(folder.key_file(ALICE))]
    code = json.loads(configuration(folder, URL, "claude-code"))["mcpServers"]["lockgate"]
    assert code["url"] == URL
    for line in configuration(folder, URL, "claude-desktop").splitlines():
        assert line in text
    assert "--serve" not in text


def test_a_gateway_that_ends_says_how_to_keep_one(tmp_path: Path) -> None:
    out = StringIO()
    tell_how_to_try(Narrator(out), folder_of(tmp_path), URL, open_now=False)
    assert "lockgate demo --serve" in out.getvalue()
