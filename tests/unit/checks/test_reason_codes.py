from pathlib import Path

import pytest

from checks import reason_codes
from support.small_tree import grumbles, plant

CATALOGUE = 'REASONS = {"policy.denied": 1, "wire.batch": 2}\n'
ALL_SAID = 'x = ["policy.denied", "wire.batch"]\n'


def said(tmp_path: Path, text: str) -> list[str]:
    files = {reason_codes.CATALOGUE: CATALOGUE, "src/lockgate/wire/a.py": text}
    return grumbles(reason_codes.find, plant(tmp_path, files))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Verdict('policy.cedar', DENY, 'policy.denied')", True),
        ("Verdict('policy.cedar', DENY, 'policy.unheard-of')", False),
        ("WireRefusal('wire.unheard-of')", False),
        ("model.SendFailed('upstream.unheard-of', 'why')", False),
        ("record(reason='wire.unheard-of')", False),
        ("record('wire.unheard-of')", True),
        ("WireRefusal('wire.batch', detail='No full stop. here')", True),
    ],
)
def test_what_is_given_as_a_reason_is_listed(tmp_path: Path, text: str, fits: bool) -> None:
    assert bool(said(tmp_path, f"{ALL_SAID}{text}\n")) is not fits


def test_what_is_listed_is_said_somewhere(tmp_path: Path) -> None:
    found = said(tmp_path, 'Verdict("a.b", DENY, "policy.denied")\n')
    assert found == [f"{reason_codes.CATALOGUE}: lists 'wire.batch', which nothing says"]
