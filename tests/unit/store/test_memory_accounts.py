"""The contract is in ``tests/contract/test_accounts.py``."""

from lockgate.model import Account
from lockgate.store.memory_accounts import MemoryAccounts


async def test_what_is_gone_is_neither_leased_nor_renewed() -> None:
    store = MemoryAccounts(lambda: 1)
    gone = Account("person:alice", "notes", "i", "p")
    assert not await store.lease(gone, 9)
    assert not await store.renew(gone)
    await store.release(gone)
    assert store.list() == []
