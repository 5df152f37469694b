"""Single messages to one streamable HTTP endpoint. Knows nothing of eras and sessions."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

from lockgate.model import SendFailed
from lockgate.upstream.credential import Bearer, NoBearer
from lockgate.upstream.exchange import (
    ACCEPT,
    STREAM,
    Answer,
    Heard,
    Place,
    delete,
    follow,
    post,
    resume,
)
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire import jsonrpc
from lockgate.wire.strict_json import Limits

SLACK = 2**16
"""Bytes a message may have around the reply itself."""
RETRY_MS = 1_000
"""Before a stream is resumed, where the server does not say how long."""
LEAST_RETRY_MS = 100
FAREWELL_SECONDS = 2.0
"""For what is sent without anybody waiting: cancellations, refusals, the end of a session."""
FAREWELLS = 100
"""More of them at once are not sent: an upstream could make us keep any number."""


class Endpoint:
    """Every message carries the configured headers; nothing of any client is ever added."""

    def __init__(
        self,
        client: HttpClient,
        target: HttpTarget,
        bounds: Bounds,
        bearer: Bearer | None = None,
    ) -> None:
        self._client = client
        self._bearer = bearer or NoBearer()
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
        heard: Heard = lambda _: None,
        *,
        endless: bool = False,
    ) -> Answer:
        """The answer, however often its stream has to be resumed; the caller has the deadline.
        ``endless``: see ``post``.

        Raises ``SendFailed``.
        """
        body = jsonrpc.encode_request(number, method, params)
        answer = await self._post(body, headers, number, heard, endless=endless)
        while answer.left:
            answer = await self._resume(answer.left, headers, number, heard)
        return answer

    async def follow(
        self, headers: Mapping[str, str], place: Place, heard: Heard, began: Callable[[], None]
    ) -> int:
        """See ``exchange.follow``. Raises ``SendFailed``."""
        for last in (False, True):
            sent, proof = await self._proved({"Accept": STREAM, **headers})
            status = await follow(
                self._client, sent, place, limits=self._limits, heard=heard, began=began
            )
            if status != 401:
                break
            await self._bearer.refused(proof, "", again=last)
            if not proof:
                break
        return status

    async def tell(self, message: bytes, headers: Mapping[str, str]) -> None:
        """Send what gets no response. Raises ``SendFailed`` if it could not be delivered."""
        await self._post(message, headers, 0, lambda _: None)

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
                await delete(self._client, (await self._proved(session))[0])
        except (SendFailed, TimeoutError):
            return

    async def _tell_quietly(self, message: bytes, headers: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.tell(message, headers)
        except (SendFailed, TimeoutError):
            return

    async def _post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        number: int,
        heard: Heard,
        *,
        endless: bool = False,
    ) -> Answer:
        """Sent again, once, with another credential where the first was refused: what is answered
        401 has not been done."""
        kind = {"Accept": ACCEPT, "Content-Type": "application/json"}
        for last in (False, True):
            sent, proof = await self._proved({**kind, **headers})
            answer = await post(
                self._client,
                sent,
                body,
                number=number,
                limits=self._limits,
                heard=heard,
                endless=endless,
            )
            if answer.status not in (401, 403):
                break
            await self._bearer.refused(proof, answer.challenge, again=last)
            if answer.status == 403 or not proof:
                break
        return answer

    async def _proved(
        self, headers: Mapping[str, str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Headers for one request, and which of them are the credential that may be refused."""
        proof = await self._bearer.headers()
        return {**self._target.headers, **headers, **proof}, proof

    async def _resume(
        self, place: Place, headers: Mapping[str, str], number: int, heard: Heard
    ) -> Answer:
        """After the pause the server asked for; again and again while it cannot be reached."""
        while True:
            wait = RETRY_MS if place.retry_ms is None else max(place.retry_ms, LEAST_RETRY_MS)
            await asyncio.sleep(wait / 1000)
            sent, _ = await self._proved({"Accept": STREAM, **headers})
            try:
                return await resume(
                    self._client, sent, place, number=number, limits=self._limits, heard=heard
                )
            except SendFailed as failure:
                if failure.reason != "upstream.unreachable":
                    raise
