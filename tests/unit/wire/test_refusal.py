import pytest

from lockgate.model import Uncatalogued
from lockgate.wire.refusal import WireRefusal


def test_a_refusal_carries_what_the_answer_needs() -> None:
    refusal = WireRefusal("wire.bad-id", "why", id=7, data={"a": 1})
    assert (refusal.reason, refusal.detail, refusal.id) == ("wire.bad-id", "why", 7)
    assert refusal.data == {"a": 1}


def test_a_reason_outside_the_catalogue_cannot_be_raised() -> None:
    with pytest.raises(Uncatalogued):
        WireRefusal("wire.made-up")
