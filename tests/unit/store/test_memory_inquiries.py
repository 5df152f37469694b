from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, inquiry


def test_each_has_rows_of_its_own() -> None:
    """The contract is in ``tests/contract/test_inquiries.py``."""
    one, other = MemoryInquiries(lambda: AT), MemoryInquiries(lambda: AT)
    one.add(inquiry(), b"")
    assert other.listed() == ()
