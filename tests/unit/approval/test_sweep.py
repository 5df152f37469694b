import itertools

from lockgate.approval.sweep import expire
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, approved, inquiry


def test_what_expired_is_put_on_record_once() -> None:
    store, ids = MemoryInquiries(lambda: AT), map(str, itertools.count())
    store.add(inquiry("q1"), b"")
    store.add(approved("q2", digest="2", expires=AT + 100), b"")
    store.add(inquiry("q3", digest="3", state="denied"), b"")
    assert expire(store, AT + 99, lambda: next(ids)) == []
    (one,) = expire(store, AT + 100, lambda: next(ids))
    assert (one.kind, one.header["action"], one.header["target"]) == (
        "approval.changed", "approval.expired", "q2",
    )  # fmt: skip
    assert [e.header["target"] for e in expire(store, AT + 900, lambda: next(ids))] == ["q1"]
    assert expire(store, AT + 10**9, lambda: next(ids)) == []
    over = store.get("q1")
    assert over is not None
    assert (over.inquiry.state, over.inquiry.ended) == ("expired", AT + 900)


def test_of_two_workers_one_says_so() -> None:
    class Late(MemoryInquiries):
        def replace(self, *_: object) -> bool:
            return False

    store = Late(lambda: AT)
    store.add(inquiry(), b"")
    assert expire(store, AT + 900, lambda: "e") == []
