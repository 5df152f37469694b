import pytest
import typer

from lockgate.control_plane.cli.durations import HOUR_MS, duration_ms


@pytest.mark.parametrize(
    ("text", "hours"),
    [("0h", 0), ("24h", 24), ("90d", 90 * 24), ("2w", 14 * 24), ("1y", 365 * 24)],
)
def test_what_people_type(text: str, hours: int) -> None:
    assert duration_ms(text, "--x") == hours * HOUR_MS


@pytest.mark.parametrize(
    "text", ["", "24", "h", "1.5h", "-1h", " 1h", "1h\n", "12345d", "1m", "1H"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="24h"):
        duration_ms(text, "--x")


def test_units_may_be_fewer() -> None:
    with pytest.raises(typer.BadParameter, match="90d, 12w, 1y"):
        duration_ms("24h", "--x", "dwy")
