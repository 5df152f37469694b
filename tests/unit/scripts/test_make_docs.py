from pathlib import Path

from lockgate.model.reasons import REASONS
from scripts.make_docs import GENERATORS, stale, write


def test_what_was_written_is_fresh_until_it_is_changed(tmp_path: Path) -> None:
    assert stale(tmp_path) == list(GENERATORS)
    write(tmp_path)
    assert stale(tmp_path) == []
    (tmp_path / "docs/reasons.md").write_text("by hand")
    assert stale(tmp_path) == ["docs/reasons.md"]


def test_every_reason_has_its_row(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "docs/reasons.md").read_text()
    for code, reason in REASONS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{code}` "))
        assert row.endswith(f"| {reason.rpc} | {reason.http} |")
        assert reason.says in row
