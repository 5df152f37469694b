from pathlib import Path

import pytest

from scripts.breakages import Breakage, Copy, Misfit, broken, read
from support.small_tree import plant

FILES = {
    "pyproject.toml": "",
    "src/gate.py": "def may_pass():\n    return False\n",
    "tests/test_gate.py": "import gate\ndef test_shut():\n    assert not gate.may_pass()\n",
}
OPENED = Breakage("open", "src/gate.py", "False", "True", ("tests/test_gate.py",))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytest that is run on the small copies needs none of ours' plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_a_breakage_must_fit_exactly_once() -> None:
    assert broken("return False", OPENED) == "return True"
    for text in ("", "False False"):
        with pytest.raises(Misfit):
            broken(text, OPENED)


def test_what_a_test_notices_is_told_and_undone(tmp_path: Path) -> None:
    plant(tmp_path, FILES)
    there = Copy(tmp_path)
    for _ in range(2):  # the second time it must be whole again
        assert "test_shut" in there.noticed(OPENED)
    assert (tmp_path / "src/gate.py").read_text() == FILES["src/gate.py"]


def test_what_no_test_notices(tmp_path: Path) -> None:
    plant(tmp_path, {**FILES, "tests/test_gate.py": "def test_nothing(): ...\n"})
    assert Copy(tmp_path).noticed(OPENED) == ""


def test_a_copy_that_cannot_even_start_proves_nothing(tmp_path: Path) -> None:
    plant(tmp_path, FILES)
    with pytest.raises(Misfit, match="cannot be tried"):
        Copy(tmp_path).noticed(OPENED._replace(find="False", replace="(False"))


def test_who_complains_anyway_proves_nothing(tmp_path: Path) -> None:
    plant(tmp_path, {**FILES, "tests/test_gate.py": "def test_no():\n    assert False\n"})
    with pytest.raises(Misfit, match="test_no"):
        Copy(tmp_path).noticed(OPENED)


def test_the_table_of_the_project_can_be_read_and_fits_the_code() -> None:
    root = Path(__file__).parents[3]
    breakages = read(root / "scripts/breakages.toml")
    assert len({b.name for b in breakages}) == len(breakages) >= 9
    for breakage in breakages:
        assert breakage.tests or breakage.check
        broken((root / breakage.file).read_text(), breakage)
