"""Proofs of possession that were used, so that none is used twice, in any worker."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, delete

from lockgate.model import StoreDown
from lockgate.store.database import insert_into, writing
from lockgate.store.failing import store_errors
from lockgate.store.tables import used_proof

SWEEP_MS = 60_000
"""How often those are forgotten that are too old to be accepted anyway."""


class StoredProofs:
    """Satisfies ``identity.dpop.Replays``. ``clock``: milliseconds since the Unix epoch.

    Proofs that come while one is written are written together: one transaction for all of them.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._clock = clock
        self._swept = 0
        self._waiting: list[tuple[str, int, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lockgate-proofs")

    async def use(self, mark: str, expires: int) -> bool:
        """Raises ``StoreDown``."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((mark, expires, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            marks = [(mark, expires) for mark, expires, _ in batch]
            try:
                written = await loop.run_in_executor(self._writer, self._write, marks)
            except StoreDown as down:
                for _, _, answer in batch:
                    _settle(answer, down)
            else:
                for (_, _, answer), new in zip(batch, written, strict=True):
                    _settle(answer, new)

    def _write(self, marks: list[tuple[str, int]]) -> list[bool]:
        now = self._clock()
        sweeping = abs(now - self._swept) >= SWEEP_MS
        with store_errors("cannot keep proofs"), writing(self._engine) as writer:
            if sweeping:
                writer.execute(delete(used_proof).where(used_proof.c.expires <= now))
            new = []
            for mark, expires in marks:
                put = insert_into(writer, used_proof).values(mark=mark, expires=expires)
                put_new = put.on_conflict_do_nothing().returning(used_proof.c.mark)
                new.append(writer.execute(put_new).first() is not None)
        if sweeping:
            self._swept = now
        return new


class MemoryProofs:
    """The same contract without a database."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._used: dict[str, int] = {}

    async def use(self, mark: str, expires: int) -> bool:
        now = self._clock()
        self._used = {one: until for one, until in self._used.items() if until > now}
        if mark in self._used:
            return False
        self._used[mark] = expires
        return True


def _settle(answer: "asyncio.Future[bool]", said: bool | StoreDown) -> None:
    if answer.done():  # nobody waits any more
        return
    if isinstance(said, StoreDown):
        answer.set_exception(said)
    else:
        answer.set_result(said)
