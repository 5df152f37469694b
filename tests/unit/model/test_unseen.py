import pytest

from lockgate.model.unseen import unseen


@pytest.mark.parametrize("character", "\0 \n\u00a0\u200b\u202e\u2028\ue000\ud800\U000e0041")
def test_what_its_category_tells(character: str) -> None:
    assert unseen(character)


@pytest.mark.parametrize("character", "\u034f\u115f\u2800\u3164\ufe0f\uffa0\U000e0100\U000e01ef")
def test_blank_letters_and_selectors(character: str) -> None:
    """Of no category of their own."""
    assert unseen(character)


@pytest.mark.parametrize("character", "aß日\u0301🙂-")
def test_what_is_seen(character: str) -> None:
    assert not unseen(character)
