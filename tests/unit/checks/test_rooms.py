from pathlib import Path

from checks import rooms
from support.small_tree import grumbles, plant

BUILT = {
    "src/lockgate/__init__.py": "",
    "src/lockgate/model/__init__.py": "",
    "src/lockgate/model/call.py": "",
    "src/lockgate/app/main.py": "",
    "src/lockgate/app/demo/clinic.py": "",
}
TRUE = """\
model/   THE VOCABULARY. Not a module
         call
app/     ROOT
         main demo/clinic
"""


def said(tmp_path: Path, table: str) -> list[str]:
    text = f"# House\n\n```python\nx = 1\n```\n\n```text\n{table}```\nmore\n"
    return grumbles(rooms.find, plant(tmp_path, {**BUILT, rooms.DOCUMENT: text}))


def test_a_true_table(tmp_path: Path) -> None:
    assert said(tmp_path, TRUE) == []


def test_a_folder_may_be_named_as_a_whole(tmp_path: Path) -> None:
    assert said(tmp_path, TRUE.replace("demo/clinic", "demo/")) == []


def test_a_missing_and_an_invented_module(tmp_path: Path) -> None:
    assert said(tmp_path, TRUE.replace("call", "reply")) == [
        "ARCHITECTURE.md: model/ should read: call"
    ]


def test_a_missing_and_an_invented_room(tmp_path: Path) -> None:
    found = said(tmp_path, TRUE.replace("app/", "apps/"))
    assert found == [
        "ARCHITECTURE.md: names the room apps/, which is not built",
        "ARCHITECTURE.md: does not name the room app/",
    ]


def test_no_table_and_no_document(tmp_path: Path) -> None:
    assert "has no fenced room table" in said(tmp_path, "src/\n")[0]
    (tmp_path / rooms.DOCUMENT).unlink()
    assert grumbles(rooms.find, plant(tmp_path, {})) == ["ARCHITECTURE.md: is missing"]
