import pytest

from lockgate.model.reason import Reason, Uncatalogued, catalogue


def test_a_catalogue_is_by_code() -> None:
    one, other = Reason("a.b", "One."), Reason("a.c", "Other.")
    assert catalogue(one, other) == {"a.b": one, "a.c": other}


def test_no_code_is_listed_twice() -> None:
    with pytest.raises(Uncatalogued):
        catalogue(Reason("a.b", "One."), Reason("a.b", "Another."))
