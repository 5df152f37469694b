"""What approvers are told, as long as the gateway runs."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial

from lockgate.app.settings import Settings
from lockgate.app.settings_channels import channels_of
from lockgate.app.settings_kinds import is_loopback, split_url
from lockgate.app.stamps import new_id, now_ms
from lockgate.app.supervision import every
from lockgate.app.wiring import Plant
from lockgate.approval.channels import AnyChannel, Slack, Webhook
from lockgate.approval.delivery import Delivery, Surroundings
from lockgate.approval.herald import Channels, Herald
from lockgate.approval.sending import Sender
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.store.notifications import StoredNotifications
from lockgate.upstream.fetch import Fetcher, Reach, origin_of

log = logging.getLogger("lockgate.announcing")

LOOK_SECONDS = 0.5
"""From one look at the outbox to the next; what this worker itself asked is seen at once."""
GRACE_SECONDS = 2.0
"""For what is on its way when the gateway ends."""
FORGET_MS = 60 * 60_000
KEPT_MS = 30 * 24 * 60 * 60_000
"""How long what became of a message is kept."""


class Announcing:
    """Of one worker. ``settings``: those in force."""

    def __init__(self, plant: Plant, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._plant = plant
        self._channels: Channels = {}
        self._store = StoredNotifications(plant.stores.engine)
        self._herald = Herald(self._store, lambda: self._channels, lambda: plant.approvers.rules)
        around = Surroundings(plant.journal.note, now_ms, new_id, self._origin)
        sender = Sender(fetch_of, now_ms)
        self._delivery = Delivery(self._store, plant.inquiries, sender, around)
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._forgot = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            await every(LOOK_SECONDS, "telling approvers", self.look, self._plant.steps)
        finally:
            await self._end()

    async def look(self) -> None:
        """Write down whom to tell, and see to it that each channel is told. Raises ``StoreDown``:
        what is not written down then is seen again."""
        if not self._settings().approvals.channels:
            return
        await asyncio.to_thread(self._write_down, now_ms())
        for channel in self._channels.values():
            if channel.name not in self._sending:
                task = asyncio.create_task(self._deliver(channel))
                self._sending[channel.name] = task
                task.add_done_callback(partial(self._sent, channel.name))

    async def _end(self) -> None:
        """What is on its way may arrive; else another worker would send it again."""
        for grace in (GRACE_SECONDS, None):
            if self._sending:
                await asyncio.wait(list(self._sending.values()), timeout=grace)
            for task in self._sending.values():
                task.cancel()

    def _write_down(self, now: int) -> None:
        self._plant.approvals.refresh(now)
        self._channels = channels_of(self._settings().approvals.channels, self._plant.resolved)
        self._herald.look(self._plant.approvals.live(), now)
        if now - self._forgot >= FORGET_MS:
            self._store.forget(now - KEPT_MS)
            self._forgot = now

    async def _deliver(self, channel: AnyChannel) -> None:
        while await self._delivery.one(channel):
            pass

    def _sent(self, name: str, done: "asyncio.Task[None]") -> None:
        del self._sending[name]
        if not done.cancelled() and done.exception() is not None:
            log.error("telling %s failed", name, exc_info=done.exception())

    def _origin(self) -> str:
        return console_origin(self._settings())


def console_origin(settings: Settings) -> str:
    """Where a link to a question leads; empty where there is no console."""
    console = settings.console
    return console.origin.rstrip("/") if console.issuer and console.origin else ""


def fetch_of(channel: Webhook | Slack) -> Fetch:
    """The way to this channel's own origin and to no other, whatever it answers.

    Raises ``FetchFailed``.
    """
    origin = frozenset({origin_of(channel.url)})
    inside = channel.internal or is_loopback(split_url(channel.url).hostname or "")
    reach = Reach(origin, origin if inside else frozenset())
    return Fetcher(lambda: reach, context=_context(channel.ca_file))


def _context(ca_file: str) -> ssl.SSLContext | None:
    if not ca_file:
        return None
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(ca_file)
    except OSError as failure:
        raise FetchFailed(f"ca_file cannot be used: {type(failure).__name__}") from None
    return context
