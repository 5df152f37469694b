"""The stream of a legacy HTTP session for what belongs to no request, kept open."""

import asyncio
from collections.abc import Callable

from lockgate.model import SendFailed
from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.exchange import Place
from lockgate.upstream.handshake_http import Opening
from lockgate.upstream.pause import Pause
from lockgate.wire.jsonrpc import Message

PASSING = frozenset({408, 409, 425, 429})
"""Client errors that may be over soon: some servers take the stream before for open a while."""


class SessionStream:
    """Runs until ``stop``, until the server says that there is none, or until the session is lost.

    ``missed`` is told when it is open again and something may have been lost in between, ``lost``
    when the server does not know the session any more.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        opened: Opening,
        heard: Callable[[Message], None],
        *,
        missed: Callable[[], None],
        lost: Callable[[], None],
        pause: Pause | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._opened = opened
        self._heard = heard
        self._missed = missed
        self._lost = lost
        self._pause = pause or Pause()
        self._gap = False
        self._running = asyncio.create_task(self._run())

    def stop(self) -> None:
        self._running.cancel()

    async def _run(self) -> None:
        place = Place()
        while True:
            status = await self._follow(place)
            if status == 404 and self._opened.session:
                self._lost()
                return
            if 300 <= status < 500 and status not in PASSING:
                return
            # What has an id is sent again by the server.
            self._gap = self._gap or place.last_id is None
            await asyncio.sleep(self._pause.take(place.retry_ms))

    async def _follow(self, place: Place) -> int:
        """The status; 0 where there was none, or where the stream broke."""
        self._pause.begin()
        try:
            return await self._endpoint.follow(self._opened.headers, place, self._hear, self._began)
        except SendFailed:
            return 0

    def _began(self) -> None:
        if self._gap:
            self._gap = False
            self._missed()

    def _hear(self, message: Message) -> None:
        self._pause.worked()
        self._heard(message)
