"""``python -m soak.http_upstream ERA FOLDER PORT``: a counting upstream over streamable HTTP.

A legacy one keeps sessions, and forgets them when it is killed.
"""

import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import uvicorn

from soak.counting import Asked, Counting, Json


class Endpoint:
    """Raw ASGI."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._sessions: set[str] = set()
        self._asked = Asked()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        session = headers.get("mcp-session-id", "")
        match scope["method"]:
            case "POST":
                await self._post(json.loads(body), session, receive, send)
            case "GET" if session in self._sessions:
                await self._stream(receive, send)
            case "DELETE":
                self._sessions.discard(session)
                await _plain(send, 200)
            case _:
                await _plain(send, 405)

    async def _post(self, message: Json, session: str, receive: Any, send: Any) -> None:
        opens = message.get("method") == "initialize"
        if self._counting.era == "legacy" and not opens and session not in self._sessions:
            await _plain(send, 404)
        elif "method" not in message:
            self._asked.take(message)
            await _plain(send, 202)
        elif "id" not in message:
            await _plain(send, 202)
        else:
            await self._answer(message, receive, send, opens=opens)

    async def _answer(self, message: Json, receive: Any, send: Any, *, opens: bool) -> None:
        stream = _Stream(send, self._new_session() if opens else "")
        answering = asyncio.ensure_future(
            self._counting.answer(
                message, stream.say, lambda m, p: self._asked.put(m, p, stream.say)
            )
        )
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, leaving):
            task.cancel()
        await asyncio.wait({answering, leaving})
        await stream.end()

    def _new_session(self) -> str:
        if self._counting.era != "legacy":
            return ""
        session = secrets.token_hex(8)
        self._sessions.add(session)
        return session

    async def _stream(self, receive: Any, send: Any) -> None:
        stream = _Stream(send, "")
        await stream.begin()
        self._counting.outside.add(stream.say)
        try:
            await _left(receive)
        finally:
            self._counting.outside.discard(stream.say)


class _Stream:
    def __init__(self, send: Any, session: str) -> None:
        self._send = send
        self._session = session
        self._began = False

    async def begin(self) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        if self._session:
            headers.append((b"mcp-session-id", self._session.encode()))
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        self._began = True

    async def say(self, message: Json) -> None:
        if not self._began:
            await self.begin()
        data = b"data: " + json.dumps(message).encode() + b"\n\n"
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        if not self._began:
            await self.begin()
        await self._send({"type": "http.response.body", "body": b""})


async def _plain(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


if __name__ == "__main__":
    app = Endpoint(Counting(sys.argv[1], Path(sys.argv[2])))
    uvicorn.run(app, port=int(sys.argv[3]), log_level="critical", lifespan="off")
