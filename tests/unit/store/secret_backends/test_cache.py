import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lockgate.model.reference import Place, Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretBackend, SecretUnavailable
from lockgate.store.secret_backends.cache import CacheBounds, SecretCache
from lockgate.store.secret_backends.local import EnvSecrets

FAR = Reference("vault", "kv/a", field="t")
NEAR = Reference("env", "A")
BOUNDS = CacheBounds(fresh=60, stale=300, again=5)


class Scripted:
    """A backend that does what it is told next."""

    def __init__(self) -> None:
        self.next: Secret | Exception = Secret("one", "1")
        self.reads = 0
        self.go = threading.Event()
        self.go.set()

    def read(self, reference: Reference) -> Secret:
        self.reads += 1
        self.go.wait(10)
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def write(self, reference: Reference, value: str) -> None:
        raise ReferenceBroken("not here")


class House:
    def __init__(self) -> None:
        self.now = 0.0
        self.far = Scripted()
        self.environ = {"A": "near"}
        backends: dict[Place, SecretBackend] = {"vault": self.far, "env": EnvSecrets(self.environ)}
        self.cache = SecretCache(backends, lambda: self.now, BOUNDS)
        self.cache.keep([FAR, NEAR])

    def look(self) -> None:
        for one in self.cache.due():
            self.cache.refresh(one)


@pytest.fixture
def house() -> House:
    return House()


def test_nothing_is_known_before_it_was_read(house: House) -> None:
    with pytest.raises(SecretUnavailable, match="was not read yet"):
        house.cache.known(FAR)
    assert house.far.reads == 0, "whoever asks what is known waits for nobody"


def test_what_is_in_this_process_is_always_as_it_is(house: House) -> None:
    assert house.cache.known(NEAR) == "near"
    house.environ["A"] = "other"
    assert house.cache.known(NEAR) == "other"
    assert house.cache.due() == (FAR,)


def test_a_change_is_used_within_the_time_that_it_is_fresh(house: House) -> None:
    house.look()
    house.far.next = Secret("two", "2")
    house.now = 59.9
    house.look()
    assert (house.cache.known(FAR), house.far.reads) == ("one", 1)
    house.now = 60
    house.look()
    assert house.cache.known(FAR) == "two"


def test_a_failing_backend_is_borne_for_a_while_and_then_not(house: House) -> None:
    house.look()
    house.far.next = SecretUnavailable("sealed")
    house.now = 60
    house.look()
    assert house.cache.known(FAR) == "one"
    assert house.cache.failing() == {FAR: "sealed"}
    house.now = 299.9
    assert house.cache.known(FAR) == "one"
    house.now = 300
    with pytest.raises(SecretUnavailable, match="sealed"):
        house.cache.known(FAR)
    assert house.cache.current(FAR) is None
    house.far.next = Secret("two")
    house.look()
    assert house.cache.known(FAR) == "two"
    assert house.cache.failing() == {}


def test_what_nobody_refreshes_grows_too_old(house: House) -> None:
    house.look()
    house.now = 300
    with pytest.raises(SecretUnavailable, match="not read for too long"):
        house.cache.known(FAR)


def test_what_is_known_to_be_gone_is_gone_at_once(house: House) -> None:
    house.look()
    house.far.next = ReferenceBroken("there is none")
    house.now = 60
    house.look()
    with pytest.raises(ReferenceBroken, match="there is none") as caught:
        house.cache.known(FAR)
    assert type(caught.value) is ReferenceBroken


def test_after_a_failure_it_is_asked_sooner_but_not_at_once(house: House) -> None:
    house.far.next = SecretUnavailable("sealed")
    house.look()
    house.look()
    assert house.far.reads == 1
    house.now = 5
    house.look()
    assert house.far.reads == 2


def test_hurrying_asks_again_what_was_not_asked_just_now(house: House) -> None:
    house.look()
    house.now = 4
    house.cache.hurry()
    assert house.cache.due() == ()
    house.now = 5
    house.cache.hurry()
    assert house.cache.due() == (FAR,)


def test_hurrying_does_not_press_who_fails(house: House) -> None:
    house.now = 100
    house.far.next = SecretUnavailable("sealed")
    house.look()
    house.cache.hurry()
    assert house.cache.due() == ()


def test_many_that_ask_at_once_ask_once(house: House) -> None:
    house.far.go.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(house.cache.refresh, FAR) for _ in range(4)]
        house.far.go.set()
        found = {one.result(10).value for one in asked if one.result(10)}  # type: ignore[union-attr]
    assert (found, house.far.reads) == ({"one"}, 1)


def test_what_is_not_named_any_more_is_forgotten(house: House) -> None:
    house.look()
    house.cache.keep([NEAR])
    assert house.cache.wanted == (NEAR,)
    with pytest.raises(SecretUnavailable):
        house.cache.known(FAR)
    assert house.cache.refresh(FAR) is None
    assert house.far.reads == 1


def test_what_stays_named_is_kept(house: House) -> None:
    house.look()
    house.cache.keep([FAR])
    assert house.cache.known(Reference("vault", "kv/a", "Bearer ", "t")) == "one"
