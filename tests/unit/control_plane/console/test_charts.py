import pytest

from lockgate.control_plane.console.charts import HEIGHT, WIDTH, rounded_up, stacked

HOUR, STEP = 3_600_000, 300_000


def test_bars_stand_on_each_other_and_stay_inside() -> None:
    found = stacked({"permit": (10, 0, 3), "deny": (10, 1, 0)}, HOUR, STEP)
    first = [bar for bar in found.bars if bar.x < WIDTH / 3]
    assert [bar.kind for bar in first] == ["permit", "deny"]
    assert first[0].y + first[0].height == pytest.approx(found.bottom, abs=0.2)
    assert first[1].y + first[1].height == pytest.approx(first[0].y, abs=0.2)
    assert first[1].y == pytest.approx(found.top, abs=0.2), "20 of 20"
    assert len(found.bars) == 4
    assert all(b.x >= 0 and b.x + b.width <= WIDTH and 0 <= b.y < HEIGHT for b in found.bars)


def test_one_of_many_is_still_seen() -> None:
    found = stacked({"permit": (5_000,), "deny": (1,)}, 0, STEP)
    assert found.bars[1].height >= 1.5


def test_hours_are_marked() -> None:
    found = stacked({"permit": (1,) * 24}, 8 * HOUR - 2 * STEP, STEP)
    assert [mark.text for mark in found.marks] == ["08:00", "09:00"]
    assert [round(mark.x) for mark in found.marks] == [8, 58]


@pytest.mark.parametrize(
    ("count", "top"), [(0, 1), (1, 1), (3, 5), (6, 10), (11, 20), (1_001, 2_000)]
)
def test_the_top_is_a_round_number(count: int, top: int) -> None:
    assert rounded_up(count) == top
