"""What ``lockgate approvals channels`` works on: a deployment's channels, and a way to try one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from lockgate.app.announcing import console_origin, fetch_of
from lockgate.app.registering import resolved
from lockgate.app.settings import Settings
from lockgate.app.settings_channels import channels_of
from lockgate.app.stamps import now_ms
from lockgate.app.stores import secret_backends, stores_of
from lockgate.approval.channels import AnyChannel
from lockgate.approval.messages import Message
from lockgate.approval.sending import Sender
from lockgate.control_plane.services.channels import ChannelDesk
from lockgate.store.notifications import StoredNotifications


@contextmanager
def channel_desk(settings: Settings) -> Iterator[ChannelDesk]:
    """Makes the stores where they do not exist. Raises ``StoreDown``."""
    stores, backends = stores_of(settings), secret_backends(settings)

    def resolve(text: str) -> str:
        return resolved(text, lambda one: backends[one.place].read(one).value)

    try:
        channels = channels_of(settings.approvals.channels, resolve)
        yield ChannelDesk(channels, StoredNotifications(stores.engine), stores.events, send,
                          console_origin(settings))  # fmt: skip
    finally:
        stores.engine.dispose()


def send(channel: AnyChannel, message: Message) -> None:
    """As the gateway would. Blocks; raises ``NotTaken``."""

    async def once() -> None:
        await Sender(fetch_of, now_ms)(channel, message)

    asyncio.run(once())
