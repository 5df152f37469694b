import orjson
import pytest

from lockgate.model.inquiry import Kept
from lockgate.pipeline.keeping import kept_reply, moment
from lockgate.wire.held import META
from support.inquiries import approved
from worlds import call

RAN = approved(state="succeeded", used=1_800_000_000_999)
TOLD = {"handle": "q1", "state": "succeeded", "ran_at": "2027-01-15T08:00:00Z"}


@pytest.mark.parametrize(
    ("raw", "meta"),
    [
        (b'{"content":[]}', {META: TOLD}),
        (b'{"content":[],"_meta":{"a":1}}', {"a": 1, META: TOLD}),
        (b'{"content":[],"_meta":{"lockgate/approval":{"handle":"forged"}}}', {META: TOLD}),
        (b'{"content":[],"_meta":7}', {META: TOLD}),
    ],
)
def test_a_result_says_what_it_came_of(raw: bytes, meta: object) -> None:
    reply = kept_reply(call(), Kept(raw), RAN)
    assert reply.decoded == {"content": [], "_meta": meta}
    assert orjson.loads(reply.raw) == reply.decoded


def test_a_result_of_an_edit_says_so() -> None:
    edit = approved("q2", state="succeeded", used=1_800_000_000_999, parent="q1")
    reply = kept_reply(call(), Kept(b"{}"), edit)
    assert reply.decoded["_meta"][META] == TOLD | {"handle": "q2", "parent": "q1"}


def test_an_error_stays_as_it_was() -> None:
    reply = kept_reply(call(), Kept(b'{"code":1,"message":"m"}', is_error=True), RAN)
    assert (reply.raw, reply.is_error) == (b'{"code":1,"message":"m"}', True)


def test_a_moment_is_in_utc() -> None:
    assert moment(0) == "1970-01-01T00:00:00Z"
