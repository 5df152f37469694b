from pathlib import Path

import pytest

from checks import origins
from support.small_tree import grumbles, plant

# In pieces, as in the check itself.
SLASH = "/"


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        (f"cd {SLASH}work{SLASH}main", False),
        (f"path = '{SLASH}root{SLASH}x'", False),
        ("index = https://pypi" + ".org/simple", False),
        ('"resolved": "https://registry' + '.npmjs.org/x"', False),
        (f"src/work{SLASH}a.py and https://example.com/work{SLASH}", True),
        ("homework is done", True),
    ],
)
def test_origins(tmp_path: Path, line: str, fits: bool) -> None:
    found = grumbles(origins.find, plant(tmp_path, {"docs/a.md": f"\n{line}\n"}))
    assert bool(found) is not fits
    assert fits or found[0].startswith("docs/a.md:2: ")
