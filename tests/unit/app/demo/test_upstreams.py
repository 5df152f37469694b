import sys
from pathlib import Path

from lockgate.app.demo.upstreams import Behind, clinic, find_upstreams, which, yaml_of
from lockgate.app.settings_file import parse

ROOT = Path("/somewhere/with space")


def _settings(*upstreams: Behind):  # type: ignore[no-untyped-def]
    return parse("upstreams:\n" + "".join(map(yaml_of, upstreams))).upstreams


def test_with_everything_installed_all_take_part() -> None:
    present, missing = find_upstreams(ROOT, lambda program: f"/bin/{program}")
    assert [one.name for one in present] == [
        "clinic", "time", "git", "fetch", "filesystem", "everything", "memory"
    ]  # fmt: skip
    assert missing == ()


def test_with_nothing_installed_the_clinic_remains_and_each_other_says_why() -> None:
    present, missing = find_upstreams(ROOT, lambda _: None)
    assert [one.name for one in present] == ["clinic"]
    why = {one.name: one.why for one in missing}
    assert why.keys() == {"time", "git", "fetch", "filesystem", "everything", "memory"}
    assert "lockgate[demo]" in why["time"]
    assert "git is not installed" in why["git"]
    assert "npm install @modelcontextprotocol/server-memory" in why["memory"]


def test_three_servers_of_others_need_no_node() -> None:
    installed = {"git", "mcp-server-time", "mcp-server-git", "mcp-server-fetch"}
    present, _ = find_upstreams(ROOT, lambda p: p if p in installed else None)
    assert {"time", "git", "fetch"} <= {one.name for one in present}


def test_a_program_beside_this_python_is_found_without_a_path() -> None:
    assert which(Path(sys.executable).name)


def test_entries_are_what_the_configuration_reads() -> None:
    everything = find_upstreams(ROOT, lambda program: f"/bin/{program}")[0]
    read = _settings(*everything)
    assert {name: one.argv for name, one in read.items()} == {u.name: u.argv for u in everything}
    assert read["memory"].env == {"MEMORY_FILE_PATH": str(ROOT / "memory.jsonl")}
    assert read["clinic"].tools["refund"].arguments == {"amount": "decimal"}
    assert {name for name, one in read.items() if one.sharing == "principal"} == {"clinic"}


def test_the_clinic_finds_lockgate_in_a_source_tree(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PYTHONPATH", "/tree/src")
    assert clinic(ROOT).env == {"PYTHONPATH": "/tree/src"}
    monkeypatch.delenv("PYTHONPATH")
    assert clinic(ROOT).env == {}
