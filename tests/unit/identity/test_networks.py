import pytest

from lockgate.identity.networks import inside, neighbourhood, network_in


def within(peer: str, *networks: str) -> bool:
    return inside(peer, tuple(map(network_in, networks)))


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("2001:db8::1", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/10"),
        ("203.0.113.9", "0.0.0.0/0"),
        ("2001:db8::1", "::/0"),
    ],
)
def test_inside(peer: str, network: str) -> None:
    assert within(peer, "192.0.2.0/24", network)


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("11.1.2.3", "10.0.0.0/8"),
        ("2001:db9::1", "2001:db8::/32"),
        ("10.1.2.3", "::/0"),
        ("::ffff:10.1.2.3", "::/0"),
        ("", "0.0.0.0/0"),
        ("client", "0.0.0.0/0"),
        ("010.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3, 192.0.2.1", "10.0.0.0/8"),
    ],
)
def test_outside(peer: str, network: str) -> None:
    assert not within(peer, network)


def test_no_network_holds_nobody() -> None:
    assert not within("10.1.2.3")


@pytest.mark.parametrize(
    "text",
    ["", "x", "10/8", " 10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/33", "2001:db8::1/32", "fe80::1%eth0",
     "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "::/64"],
)  # fmt: skip
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        network_in(text)


def test_one_sender_is_one_neighbourhood_however_it_is_spelled() -> None:
    assert neighbourhood("::ffff:192.0.2.7") == neighbourhood("192.0.2.7") == "192.0.2.7"
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1")
    assert neighbourhood("2001:db8::1") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("") == ""
