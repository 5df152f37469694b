from typing import Any

from lockgate.control_plane.services.key_report import Bounds, report
from lockgate.control_plane.services.keys import DAY_MS
from lockgate.model import KeyRecord

NOW = 1_800_000_000_000
BOUNDS = Bounds(90 * DAY_MS, 30 * DAY_MS, 180 * DAY_MS)


def key(id: str, age: int, days: int = 120, used: int | None = 1, **more: Any) -> KeyRecord:
    """``age``, ``used``: days ago."""
    created = NOW - age * DAY_MS
    fields = {"kind": "personal", "owner": "alice", "subject": "alice", "roles": frozenset(),
              "agent": "", "hash": "h", **more}  # fmt: skip
    seen = 0 if used is None else NOW - used * DAY_MS
    return KeyRecord(id=id, created=created, expires=created + days * DAY_MS, used=seen, **fields)


def found(*keys: KeyRecord) -> dict[str, tuple[str, ...]]:
    return {aged.record.id: aged.findings for aged in report(keys, NOW, BOUNDS)}


def robot(id: str, age: int, **more: Any) -> KeyRecord:
    return key(id, age, kind="service", subject="ci", **more)


def test_a_key_that_is_young_and_used_is_in_order() -> None:
    assert found(key("a", 89)) == {"a": ()}


def test_the_oldest_comes_first_with_its_age_and_what_is_left() -> None:
    first, second = report([key("b", 3), key("a", 100)], NOW, BOUNDS)
    assert (first.record.id, second.record.id) == ("a", "b")
    assert (first.age, first.left) == (100 * DAY_MS, 20 * DAY_MS)


def test_what_is_over_is_not_in_it() -> None:
    assert found(key("expired", 121), key("revoked", 5, revoked=NOW - 1)) == {}


def test_old() -> None:
    assert found(key("a", 90)) == {"a": ()}
    assert found(key("a", 91)) == {"a": ("old",)}


def test_unused() -> None:
    assert found(key("a", 60, used=30)) == {"a": ()}
    assert found(key("a", 60, used=31)) == {"a": ("unused",)}


def test_never_used_once_there_was_time_for_it() -> None:
    assert found(key("a", 30, used=None)) == {"a": ()}
    assert found(key("a", 31, used=None)) == {"a": ("never-used",)}


def test_made_for_too_long() -> None:
    assert found(key("a", 1, days=181)) == {"a": ("long-lived",)}


def test_a_key_on_its_way_out_may_be_old_and_unused() -> None:
    assert found(key("a", 100, used=50, successor="b"))["a"] == ()


def test_a_service_whose_owner_is_not_seen_any_more() -> None:
    own = key("own", 60, used=40)
    assert found(robot("ci", 20), own)["ci"] == ("owner-idle",)
    assert found(robot("ci", 20), key("own", 200, used=40))["ci"] == ("owner-idle",), "expired"
    assert found(robot("ci", 20), own, key("new", 10, used=None))["ci"] == ()
    assert found(robot("ci", 20), key("own", 60, used=2))["ci"] == ()


def test_nothing_is_said_of_an_owner_who_never_had_a_key() -> None:
    assert found(robot("ci", 20), key("own", 60, used=40, owner="bob"))["ci"] == ()
