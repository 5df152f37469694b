import pytest

from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Uncatalogued


def test_a_refusal_has_a_catalogued_reason() -> None:
    assert AuthRefusal("auth.invalid").reason == "auth.invalid"
    with pytest.raises(Uncatalogued):
        AuthRefusal("auth.whatever")
