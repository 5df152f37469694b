"""Single messages to one streamable HTTP endpoint. Knows nothing of eras and sessions."""

import asyncio
from collections.abc import Mapping
from itertools import count

from pyreqwest.client import Client

from lockgate.model import SendFailed
from lockgate.upstream.exchange import ACCEPT, Answer, Heard, delete, post
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire import jsonrpc
from lockgate.wire.strict_json import Limits

SLACK = 2**16
"""Bytes a message may have around the reply itself."""
FAREWELL_SECONDS = 2.0
"""For what is sent without anybody waiting: cancellations, refusals, the end of a session."""
FAREWELLS = 100
"""More of them at once are not sent: an upstream could make us keep any number."""


class Endpoint:
    """Every message carries the configured headers; nothing of any client is ever added."""

    def __init__(self, client: Client, target: HttpTarget, bounds: Bounds) -> None:
        self._client = client
        self._target = target
        self._limits = Limits(bytes=bounds.reply_bytes + SLACK)
        self._ids = count(1)
        self._farewells: set[asyncio.Task[None]] = set()

    def new_id(self) -> int:
        return next(self._ids)

    async def ask(
        self,
        number: int,
        method: str,
        params: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        heard: Heard = lambda _: None,
    ) -> Answer:
        """``seconds`` is the caller's own deadline: here it only closes what that leaves behind.

        Raises ``SendFailed``.
        """
        body = jsonrpc.encode_request(number, method, params)
        return await self._post(body, headers, number, seconds, heard)

    async def tell(self, message: bytes, headers: Mapping[str, str]) -> None:
        """Send what gets no response. Raises ``SendFailed`` if it could not be delivered."""
        await self._post(message, headers, 0, FAREWELL_SECONDS, lambda _: None)

    def tell_later(self, message: bytes, headers: Mapping[str, str]) -> None:
        """The same, with nobody waiting. If it fails, that changes nothing any more."""
        if len(self._farewells) < FAREWELLS:
            farewell = asyncio.create_task(self._tell_quietly(message, headers))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)

    async def close(self, session: Mapping[str, str] | None) -> None:
        """Let what is underway be delivered, then end the session that these headers name."""
        if self._farewells:
            await asyncio.wait(self._farewells)
        if session is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await delete(self._client, self._target.url, {**self._target.headers, **session})
        except (SendFailed, TimeoutError):
            return

    async def _tell_quietly(self, message: bytes, headers: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.tell(message, headers)
        except (SendFailed, TimeoutError):
            return

    async def _post(
        self, body: bytes, headers: Mapping[str, str], number: int, seconds: float, heard: Heard
    ) -> Answer:
        sent = {
            **self._target.headers,
            "Accept": ACCEPT,
            "Content-Type": "application/json",
            **headers,
        }
        return await post(
            self._client,
            self._target.url,
            sent,
            body,
            number=number,
            seconds=seconds,
            limits=self._limits,
            heard=heard,
        )
