import pytest

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.store.secret_backends.fields import pick, pick_from, put_into

FIELD = Reference("secretsmanager", "a", field="token")
WHOLE = Reference("secretsmanager", "a")


def test_one_of_several() -> None:
    assert pick(FIELD, {"token": "t", "other": "o"}) == "t"
    assert pick_from(FIELD, '{"token": "t", "other": 5}') == "t"
    assert pick_from(WHOLE, '{"token": "t"}') == '{"token": "t"}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"other": "s3cret"}', "has no field token"),
        ('{"token": 5, "other": "s3cret"}', "no text in the field"),
        ('{"token": "", "other": "s3cret"}', "is empty"),
        ("s3cret", "no JSON object"),
        ('["s3cret"]', "no JSON object"),
    ],
)
def test_what_is_not_there_is_said_without_what_is(text: str, says: str) -> None:
    with pytest.raises(ReferenceBroken, match=says) as caught:
        pick_from(FIELD, text)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None, "a decoding error holds the text"


def test_neighbours_stay() -> None:
    assert put_into(FIELD, '{"token":"t","other":5}', "new") == '{"token":"new","other":5}'
    assert put_into(WHOLE, "old", "new") == "new"
