"""A console desk whose pages are told of changes, and browsers that listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from support.asgi import Visit
from support.browser import Browser
from support.console_desk import ORIGIN, ConsoleDesk


class LiveDesk(ConsoleDesk):
    def __init__(self) -> None:
        super().__init__()
        self.tasks = [asyncio.ensure_future(self.news.task())]

    def open(self, browser: Browser, since: str = "inquiry:0", **headers: str) -> Visit:
        """A stream, as a page of this browser opens it."""
        said = {"host": ORIGIN.partition("://")[2], **headers,
                "cookie": "; ".join(f"{k}={v}" for k, v in browser.jar.items())}  # fmt: skip
        visit = Visit("GET", "/console/live", said, b"", f"since={quote(since)}".encode())
        self.tasks.append(asyncio.ensure_future(
            self.house.ingress(visit.scope, visit.receive, visit.send)))  # fmt: skip
        return visit

    def role(self, holder: str = "bob") -> None:
        """Something that the room Roles shows has changed."""
        self.hold(holder, "reader")


@asynccontextmanager
async def live_desk() -> AsyncIterator[LiveDesk]:
    """Nothing of it runs after the block."""
    desk = LiveDesk()
    yield desk
    for task in desk.tasks:
        task.cancel()
    await asyncio.wait(desk.tasks)
