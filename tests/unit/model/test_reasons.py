import pytest

from lockgate.model import REASONS, Effect, Uncatalogued, Verdict


def test_a_verdict_cannot_have_a_reason_that_is_not_catalogued() -> None:
    with pytest.raises(Uncatalogued):
        Verdict("policy.cedar", Effect.PERMIT, "policy.because-i-say-so")


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda r: r.code)
def test_every_reason_is_one_safe_sentence(reason: object) -> None:
    said = REASONS[reason.code].says  # type: ignore[attr-defined]
    assert said[0].isupper()
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) <= 120
