import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.audit.refusals import RefusalTally, network_of


def tally(**more: int) -> RefusalTally:
    numbers = itertools.count(1)
    return RefusalTally(lambda: f"id{next(numbers)}", **more)


def test_nothing_refused_makes_no_event() -> None:
    assert tally().drain(5) == []


def test_a_period_makes_one_event_with_counts() -> None:
    seen = tally()
    seen.add("auth.missing", "10.1.2.3", 1_000)
    seen.add("auth.invalid", "10.1.2.4", 2_000)
    seen.add("auth.invalid", "10.1.2.5", 3_000)
    seen.add("auth.invalid", "10.9.2.5", 4_000)
    (event,) = seen.drain(5_000)
    assert (event.id, event.call, event.kind, event.at) == ("id1", "", "auth.refused", 5_000)
    assert (event.effect, event.reason) == ("deny", "auth.invalid")
    assert event.header == {
        "since": 1_000,
        "until": 5_000,
        "count": 4,
        "reasons": {"auth.invalid": 3, "auth.missing": 1},
        "networks": 2,
    }
    assert orjson.loads(event.slots["net"]) == [
        {"reason": "auth.invalid", "network": "10.1.2.0/24", "count": 2},
        {"reason": "auth.missing", "network": "10.1.2.0/24", "count": 1},
        {"reason": "auth.invalid", "network": "10.9.2.0/24", "count": 1},
    ]


def test_each_period_counts_anew() -> None:
    seen = tally()
    seen.add("auth.missing", "10.1.2.3", 1_000)
    seen.drain(2_000)
    assert seen.drain(3_000) == []
    seen.add("auth.missing", "10.1.2.3", 4_000)
    (event,) = seen.drain(5_000)
    assert (event.header["since"], event.header["count"]) == (4_000, 1)


def test_no_address_is_in_the_header() -> None:
    seen = tally()
    seen.add("auth.missing", "203.0.113.9", 1)
    (event,) = seen.drain(2)
    assert b"203.0" not in orjson.dumps(event.header)
    assert b"203.0.113.9" not in event.slots["net"]


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", "unknown"),
        ("unix:/run/x", "unknown"),
        ("999.1.1.1", "unknown"),
    ],
)
def test_a_peer_is_reduced_to_its_network(peer: str, network: str) -> None:
    assert network_of(peer) == network


@given(st.lists(st.tuples(st.sampled_from("abc"), st.ip_addresses())))
def test_a_flood_from_everywhere_stays_small_and_the_totals_right(
    refused: "list[tuple[str, object]]",
) -> None:
    seen = tally(pairs_max=4)
    for reason, peer in refused:
        seen.add(reason, str(peer), 1)
    events = seen.drain(2)
    assert sum(event.header["count"] for event in events) == len(refused)
    for event in events:
        rows = orjson.loads(event.slots["net"])
        assert len(rows) <= 4 + 3
        assert sum(row["count"] for row in rows) == len(refused)
