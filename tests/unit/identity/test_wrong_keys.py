from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity.wrong_keys import TRIES_KEY, TRIES_PEER, Allowance, WrongKeys

NOW = 1_000_000
ONE = ("192.0.2.7",)


def spend(allowance: Allowance, count: int, now: int = NOW) -> int:
    """How many of so many tries there were."""
    done = 0
    for _ in range(count):
        done += not allowance.spent(ONE, now)
        allowance.take(ONE, now)
    return done


def test_so_many_at_once_then_one_each_pause() -> None:
    allowance = Allowance(3, 100, 10)
    assert spend(allowance, 9) == 3
    assert spend(allowance, 9, NOW + 99) == 0
    assert spend(allowance, 9, NOW + 100) == 1
    assert spend(allowance, 9, NOW + 10_000) == 3


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_over_any_time_there_are_no_more_than_the_burst_and_one_a_pause(steps: list[int]) -> None:
    allowance, now, done = Allowance(3, 100, 10), NOW, 0
    for step in steps:
        now += step
        done += spend(allowance, 1, now)
    assert done <= 3 + (now - NOW) // 100


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    allowance = Allowance(3, 100, 10)
    spend(allowance, 3)
    assert spend(allowance, 9, NOW - 3_600_000) == 3


def test_memory_is_bounded_and_the_latest_are_kept() -> None:
    allowance = Allowance(1, 100, 10)
    for n in range(1_000):
        allowance.take((str(n),), NOW)
    assert len(allowance) == 10
    assert allowance.spent(("999",), NOW)
    assert not allowance.spent(("0",), NOW)


def test_one_wrong_key_sent_again_and_again_spends_nothing_of_its_neighbours() -> None:
    wrong = WrongKeys()
    for _ in range(TRIES_KEY):
        assert not wrong.key_spent("192.0.2.7", "a", NOW)
        wrong.add("192.0.2.7", "a", NOW)
    assert wrong.key_spent("::ffff:192.0.2.7", "a", NOW)
    assert not wrong.key_spent("192.0.2.7", "b", NOW)
    assert not wrong.key_spent("192.0.2.8", "a", NOW)
    assert not wrong.peer_spent("192.0.2.7", NOW)


def test_many_ids_from_the_addresses_of_one_host_spend_what_it_has() -> None:
    wrong = WrongKeys()
    for n in range(TRIES_PEER):
        assert not wrong.peer_spent("2001:db8::1", NOW)
        wrong.add(f"2001:db8::{n:x}", f"k{n}", NOW)
    assert wrong.peer_spent("2001:db8::1", NOW)
    assert not wrong.peer_spent("2001:db8:1::1", NOW)


def test_however_many_hosts_are_wrong_memory_is_bounded() -> None:
    wrong = WrongKeys(most=50)
    for n in range(1_000):
        wrong.add(f"198.51.{n // 250}.{n % 250}", f"k{n}", NOW)
    assert len(wrong) == 100
