"""What every store of revocations must do."""

from collections.abc import Callable

import pytest

from lockgate.model.revocation import Revocation
from lockgate.store.revocations import MemoryRevocations, StoredRevocations

Store = StoredRevocations | MemoryRevocations
NOW = 1_000


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Opens the same rows again and again, as several workers would."""
    if request.param == "memory":
        shared = MemoryRevocations()
        return lambda: shared
    engine = request.getfixturevalue(request.param)

    def another() -> StoredRevocations:
        made = StoredRevocations(engine)
        made.refresh(NOW)
        return made

    return another


def test_what_was_revoked_is_found_by_kind_issuer_and_value(opener: Callable[[], Store]) -> None:
    store = opener()
    one = Revocation("subject", "https://a.example", "alice", NOW, 9_000)
    store.add(one)
    store.refresh(NOW)
    assert store.find("subject", "https://a.example", "alice") == one
    for kind, issuer, value in [
        ("token", one.issuer, one.value), ("subject", "https://b.example", one.value),
        ("subject", one.issuer, "bob"),
    ]:  # fmt: skip
        assert store.find(kind, issuer, value) is None


def test_of_two_the_later_counts(opener: Callable[[], Store]) -> None:
    store = opener()
    for before, expires in ((NOW, 9_000), (NOW + 5, 8_000), (NOW + 1, 8_500)):
        store.add(Revocation("token", "i", "t", before, expires))
    store.refresh(NOW)
    assert store.find("token", "i", "t") == Revocation("token", "i", "t", NOW + 5, 9_000)


def test_another_worker_knows_after_a_refresh_and_its_version_has_changed(
    opener: Callable[[], Store],
) -> None:
    here, there = opener(), opener()
    before = there.version
    here.add(Revocation("session", "i", "s", NOW, 9_000))
    there.refresh(NOW)
    assert there.find("session", "i", "s") is not None
    assert there.version != before
    assert there.fresh(NOW)


def test_they_are_listed_the_newest_first_and_forgotten_in_time(
    opener: Callable[[], Store],
) -> None:
    store = opener()
    for value, before, expires in (("a", 1, 500), ("b", 2, 9_000), ("c", 3, 9_000)):
        store.add(Revocation("token", "i", value, before, expires))
    assert [one.value for one in store.list()] == ["c", "b", "a"]
    store.add(Revocation("token", "i", "d", 500, 9_000))
    assert [one.value for one in store.list()] == ["d", "c", "b"]
