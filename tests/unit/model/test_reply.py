import orjson
import pytest

from lockgate.model import Notice, Reply
from worlds import call


def test_a_digest_is_about_one_answer_to_one_call() -> None:
    one = Reply(call(x=1), b'{"content":[]}')
    assert one.digest == Reply(call(x=1), b'{"content":[]}').digest
    assert one.digest != Reply(call(x=2), b'{"content":[]}').digest
    assert one.digest != Reply(call(x=1), b'{"content":[1]}').digest
    assert one.digest != call(x=1).digest


def test_a_digest_cannot_be_given() -> None:
    assert Reply(call(), b"{}", digest="x").digest == Reply(call(), b"{}").digest
    assert Notice(call(), "m", b"{}", digest="x").digest == Notice(call(), "m", b"{}").digest


def test_what_is_not_json_is_no_reply() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        Reply(call(), b"{")
