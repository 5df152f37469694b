"""Takes what approvers are to be told from the outbox to its channel: at least once, and by one
worker at a time. A channel that does not take it costs nobody anything but the news."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from lockgate.approval.channels import AnyChannel, NotTaken
from lockgate.approval.messages import Message
from lockgate.approval.ports import InquiryStore, NotificationStore
from lockgate.approval.questions import event
from lockgate.model import AuditEvent
from lockgate.model.inquiry import Inquiry
from lockgate.model.notification import Notification

LEASE_MS = 120_000
"""Longer than any try takes."""
FIRST_WAIT_MS = 1_000
LONGEST_WAIT_MS = 60_000
MOST_TRIES = 12
"""Over about seven minutes."""

OLDEST_MS = 24 * 60 * 60_000
"""A channel may have been taken out of the settings meanwhile, and put back."""

Send = Callable[[AnyChannel, Message], Awaitable[None]]
"""Raises ``NotTaken``."""


class Surroundings(msgspec.Struct, frozen=True):
    note: Callable[[AuditEvent], None]
    """Puts an event into the journal; called on the event loop."""
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    origin: Callable[[], str]
    """Of the console; empty: there is none."""


class Delivery:
    def __init__(
        self,
        store: NotificationStore,
        inquiries: InquiryStore,
        send: Send,
        around: Surroundings,
    ) -> None:
        self._store = store
        self._inquiries = inquiries
        self._send = send
        self._around = around

    async def one(self, channel: AnyChannel) -> bool:
        """Try one message. False: none is due. Raises ``StoreDown``; what was sent then may be sent
        once more, under the same id."""
        now = self._around.now_ms()
        leased = await asyncio.to_thread(
            self._store.lease, channel.name, now, now + LEASE_MS, now - channel.gap
        )
        if not leased:
            return False
        rows, questions = await asyncio.to_thread(self._still_worth, leased, now)
        if rows and rows[0].tries > MOST_TRIES:
            # Each try ended the worker, or something nobody thought of: others wait behind it.
            await self._failed(rows, questions, NotTaken("no try came to an end", final=True))
        elif rows:
            await self._try(channel, rows, questions)
        return True

    async def _try(
        self, channel: AnyChannel, rows: Sequence[Notification], questions: Sequence[Inquiry]
    ) -> None:
        first = rows[0]
        made = min(row.made for row in rows)
        message = Message(first.message, first.kind, made, tuple(questions), self._around.origin())
        try:
            await self._send(channel, message)
        except NotTaken as failure:
            await self._failed(rows, questions, failure)
            return
        now = self._around.now_ms()
        if await asyncio.to_thread(self._store.finish, rows, "sent", now):
            self._record(rows, questions, "sent", now)

    async def _failed(
        self, rows: Sequence[Notification], questions: Sequence[Inquiry], failure: NotTaken
    ) -> None:
        now, why = self._around.now_ms(), str(failure)
        if failure.final or rows[0].tries >= MOST_TRIES:
            if await asyncio.to_thread(self._store.finish, rows, "dead", now, why):
                self._record(rows, questions, "given up", now)
            return
        due = now + max(failure.wait, wait_after(rows[0].tries))
        await asyncio.to_thread(self._store.retry, rows, due, now, why)

    def _still_worth(
        self, leased: Sequence[Notification], now: int
    ) -> tuple[list[Notification], list[Inquiry]]:
        """Nobody is told of a question that was answered meanwhile, nor of the day before."""
        rows: list[Notification] = []
        questions: list[Inquiry] = []
        needless: list[Notification] = []
        for row in leased:
            asked = self._inquiries.get(row.inquiry)
            one = asked.inquiry.at(now) if asked else None
            over = one is None or (row.kind != "decided" and one.state != "pending")
            if one is None or over or now - row.made > OLDEST_MS:
                needless.append(row)
                continue
            rows.append(row)
            questions.append(one)
        if needless:
            self._store.finish(needless, "needless", now)
        return rows, questions

    def _record(
        self, rows: Sequence[Notification], questions: Sequence[Inquiry], how: str, now: int
    ) -> None:
        for row, one in zip(rows, questions, strict=True):
            self._around.note(
                event(self._around.new_id(), "told", one, now, channel=row.channel,
                      message=row.message, step=row.kind, told=how)
            )  # fmt: skip


def wait_after(tries: int) -> int:
    """Milliseconds: doubles with every try."""
    return min(FIRST_WAIT_MS << min(tries - 1, 16), LONGEST_WAIT_MS)
