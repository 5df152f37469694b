import pytest

from lockgate.control_plane.console.changes import read, written


def test_what_is_written_is_read() -> None:
    for versions in ({"journal": 0}, {"journal": 12, "api_key": 3}):
        assert read(written(versions)) == versions


@pytest.mark.parametrize(
    "text",
    ["", "journal", "journal:", "journal:-1", "journal:1,", "Journal:1", "journal:1 ", "a:1\n",
     "journal:9999999999999999999", ",".join(f"t_{c}:1" for c in "abcdefghijklmnopqr")],
)  # fmt: skip
def test_anything_else_is_not(text: str) -> None:
    assert read(text) is None
