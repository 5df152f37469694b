from pathlib import Path

import pytest

from support.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A deployment whose configuration is empty."""
    made = Desk(tmp_path)
    made.configure("policies: policies\n")
    (tmp_path / "policies").mkdir()
    return made
