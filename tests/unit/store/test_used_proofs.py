import asyncio

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.used_proofs import StoredProofs


async def test_without_a_database_no_proof_is_new(sqlite: Engine) -> None:
    store = StoredProofs(sqlite, lambda: 0)
    with sqlite.begin() as connection:
        connection.execute(text("DROP TABLE used_proof"))
    answers = await asyncio.gather(*(store.use(mark, 1) for mark in "abc"), return_exceptions=True)
    assert all(isinstance(answer, StoreDown) for answer in answers)


async def test_those_that_wait_are_written_together(sqlite: Engine) -> None:
    store = StoredProofs(sqlite, lambda: 0)
    written: list[int] = []
    write = store._write

    def counted(marks: list[tuple[str, int]]) -> list[bool]:
        written.append(len(marks))
        return write(marks)

    store._write = counted  # type: ignore[method-assign]
    assert all(await asyncio.gather(*(store.use(str(n), 1) for n in range(50))))
    assert sum(written) == 50
    assert len(written) < 5


async def test_who_no_longer_waits_harms_nobody(sqlite: Engine) -> None:
    store = StoredProofs(sqlite, lambda: 0)
    gone = asyncio.ensure_future(store.use("a", 1))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await store.use("b", 1)
