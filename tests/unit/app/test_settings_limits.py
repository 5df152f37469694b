import pytest
from pydantic import ValidationError

from lockgate.app.settings_limits import Journal, Limits


def test_every_limit_has_a_default_and_sizes_have_units() -> None:
    assert Limits() == Limits.model_validate({})
    assert Limits.model_validate({"message_bytes": "1 MiB"}).message_bytes == 2**20
    assert Journal.model_validate({"result_bytes": "1 KiB"}).result_bytes == 1_024


@pytest.mark.parametrize("wrong", [{"burst": 0}, {"call_seconds": 0}, {"surprise": 1}])
def test_a_limit_that_limits_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)
