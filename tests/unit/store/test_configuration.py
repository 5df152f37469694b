import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.configuration import StoredConfiguration


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.getfixturevalue(request.param)
    return made


def test_nobody_took_one_yet(engine: Engine) -> None:
    store = StoredConfiguration(engine, "h1", Clock())
    store.refresh(1_000)
    assert store.taken == ("", 0)


def test_what_one_worker_takes_all_of_its_host_see(engine: Engine) -> None:
    clock = Clock()
    here, there = (StoredConfiguration(engine, "h1", clock) for _ in range(2))
    elsewhere = StoredConfiguration(engine, "h2", clock)
    here.say("d1")
    clock.now = 2_000
    here.say("d2")
    assert here.taken == ("d2", 2_000)
    for store in (there, elsewhere):
        store.refresh(clock.now)
    assert there.taken == ("d2", 2_000)
    assert elsewhere.taken == ("", 0)


def test_what_was_taken_is_not_written_again(engine: Engine) -> None:
    clock = Clock()
    here, there = (StoredConfiguration(engine, "h1", clock) for _ in range(2))
    here.say("d1")
    clock.now = 2_000
    here.say("d1")
    there.say("d1")
    assert there.taken == ("d1", 1_000)
    with engine.connect() as connection:
        version = connection.scalar(text("SELECT version FROM feed WHERE topic = 'configuration'"))
    assert version == 1


def test_without_a_database_nothing_is_taken(engine: Engine) -> None:
    store = StoredConfiguration(engine, "h1", Clock())
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE configuration"))
    with pytest.raises(StoreDown):
        store.say("d1")
    assert store.taken == ("", 0)


def test_who_stays_behind_differs_after_two_seconds(engine: Engine) -> None:
    clock = Clock()
    here, there = (StoredConfiguration(engine, "h1", clock) for _ in range(2))
    there.say("d1")
    here.say("d1")
    clock.now = 5_000
    here.say("d2")
    there.say("d1")
    there.refresh(clock.now)
    assert there.taken == ("d2", 5_000), "what is said again is no news"
    assert not there.differs("d1", 7_000)
    assert there.differs("d1", 7_001)
    assert not there.differs("d2", 7_001)
