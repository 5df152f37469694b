from lockgate.control_plane.services.approval_history import MOST, Earlier, history
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, inquiry


def test_the_first_time() -> None:
    store = MemoryInquiries(lambda: AT)
    store.add(inquiry(), b"")
    store.add(inquiry("q2", digest="2", title="clinic/another"), b"")
    found = history(store, inquiry(), AT)
    assert (found.first_of_holder, found.first_of_agent) == (True, True)


def test_what_was_asked_before_and_what_came_of_it() -> None:
    store = MemoryInquiries(lambda: AT)
    store.add(inquiry("q1", state="denied"), b"")
    store.add(inquiry("q2", digest="2", created=AT + 1, holder="person:bob"), b"")
    now = inquiry("q3", created=AT + 2)
    found = history(store, now, inquiry().expires)
    assert found.by_holder == (Earlier("q1", AT, "denied", same=True),)
    assert found.by_agent == (
        Earlier("q2", AT + 1, "expired", same=False), Earlier("q1", AT, "denied", same=True),
    )  # fmt: skip


def test_without_an_agent_there_is_no_history_of_one() -> None:
    store = MemoryInquiries(lambda: AT)
    store.add(inquiry(agent="", state="denied"), b"")
    found = history(store, inquiry("q2", agent="", holder="person:bob"), AT)
    assert (found.by_agent, found.first_of_agent) == ((), True)


def test_it_is_bounded() -> None:
    store = MemoryInquiries(lambda: AT)
    for n in range(MOST + 5):
        store.add(inquiry(f"p{n}", digest=str(n)), b"")
    assert len(history(store, inquiry("q9"), AT).by_holder) == MOST
