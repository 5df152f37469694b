import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.store.sealing import AesGcmSealer

KEY = bytes(range(32))
ALPHABET = string.ascii_letters + string.digits + "-_"


@given(st.binary(max_size=300), st.text(max_size=20).filter(str.isprintable))
def test_what_was_sealed_opens_for_its_purpose(value: bytes, purpose: str) -> None:
    sealer = AesGcmSealer(KEY)
    token = sealer.seal(purpose, value)
    assert set(token) <= set(ALPHABET)
    assert sealer.open(purpose, token) == value
    assert sealer.open(purpose + "x", token) is None


def test_the_same_value_is_sealed_differently_each_time() -> None:
    sealer = AesGcmSealer(KEY)
    assert sealer.seal("cursor", b"v") != sealer.seal("cursor", b"v")


def test_another_deployment_cannot_open_it() -> None:
    assert AesGcmSealer(bytes(32)).open("cursor", AesGcmSealer(KEY).seal("cursor", b"v")) is None


def test_no_changed_character_goes_unnoticed() -> None:
    sealer = AesGcmSealer(KEY)
    token = sealer.seal("cursor", b"some value")
    for place, old in enumerate(token):
        for new in (c for c in ALPHABET if c != old):
            assert sealer.open("cursor", token[:place] + new + token[place + 1 :]) is None


@pytest.mark.parametrize(
    "token",
    ["", "=", "A", "AAAA", "A" * 37, "A" * 200, "é" * 40, "AA AA", "AA\n", "\ud800", "a+/b"],
)
def test_garbage_opens_as_nothing(token: str) -> None:
    assert AesGcmSealer(KEY).open("cursor", token) is None


@pytest.mark.parametrize("spoil", [lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t])
def test_only_one_spelling_is_accepted(spoil: object) -> None:
    sealer = AesGcmSealer(KEY)
    assert sealer.open("cursor", spoil(sealer.seal("cursor", b"v"))) is None  # type: ignore[operator]


def test_a_key_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError):
        AesGcmSealer(b"short")
