import socket

import pytest

from lockgate.app.listening import address_of, listen


def test_an_address_is_taken_once() -> None:
    with listen("127.0.0.1", 0) as first:
        host, _, port = address_of(first).rpartition(":")
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", int(port))


def test_addresses_of_version_6_are_in_brackets() -> None:
    try:
        listener = listen("[::1]", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert listener.family is socket.AF_INET6
        assert address_of(listener).startswith("[::1]:")
