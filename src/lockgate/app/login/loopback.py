"""Where the browser comes back to: a port of this machine (RFC 8252 section 7.3)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from pyreqwest.http import Url

from lockgate.app.login.addresses import is_loopback
from lockgate.control_plane.services.refused import Refused

DEFAULT = "http://127.0.0.1/callback"
_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),  # the address holds a code
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
_PAGE = "<!doctype html><html lang=en><title>Lockgate</title><p>{}</p></html>"
_DONE = _PAGE.format("You can close this window and go back to the terminal.").encode()
_ODD = _PAGE.format("This is not what was waited for.").encode()

Answer = Mapping[str, str]


class Callback:
    """Takes the one answer that carries our ``state``. Anything else is shown the door and changes
    nothing: every page in the person's browser can send requests here."""

    def __init__(self, redirect_uri: str, state: str) -> None:
        self.redirect_uri = redirect_uri
        self._path = Url(redirect_uri).path
        self._state = state
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    async def answer(self, seconds: float) -> Answer:
        """The parameters that came (RFC 6749 section 4.1.2). Raises ``TimeoutError``."""
        async with asyncio.timeout(seconds):
            return await self._answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        said = dict(pairs)
        ours = (
            scope["method"] == "GET" and scope["path"] == self._path
            and len(said) == len(pairs)  # RFC 6749 section 3.1: none more than once
            and compare_digest(said.get("state", "").encode(), self._state.encode())
            and not self._answer.done()
        )  # fmt: skip
        await send({"type": "http.response.start", "status": 200 if ours else 400,
                    "headers": _HEADERS})  # fmt: skip
        await send({"type": "http.response.body", "body": _DONE if ours else _ODD})
        if ours:
            self._answer.set_result(said)


class _Server(uvicorn.Server):
    @asynccontextmanager
    async def running(self, listening: socket.socket) -> AsyncIterator[None]:
        """Ctrl-C is for who waits, so the server takes no signals."""
        serving = asyncio.create_task(self._serve([listening]))
        try:
            yield
        finally:
            self.should_exit = True
            await serving


@asynccontextmanager
async def listening_for(redirect: str, state: str) -> AsyncIterator[Callback]:
    """``redirect``: an ``http:`` URL of this machine; without a port, any free one is taken.

    Raises ``Refused`` where it is none, or its port cannot be had.
    """
    try:
        url = Url(redirect)
    except ValueError:
        raise Refused("The redirect address is not a URL.") from None
    if url.scheme != "http" or not is_loopback(url) or url.query_string or url.fragment:
        raise Refused("The redirect address is not an http:// URL of this machine.")
    host = (url.host_str or "").strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    here = "127.0.0.1" if host == "localhost" else host
    try:
        listening = socket.create_server((here, url.port or 0), family=family)
    except OSError as error:
        raise Refused(f"Nobody can listen at {redirect} ({error.strerror}).") from None
    with listening:
        port = listening.getsockname()[1]
        callback = Callback(str(url.with_port(port)), state)
        config = uvicorn.Config(
            callback, lifespan="off", log_level="critical", log_config=None, access_log=False,
            timeout_graceful_shutdown=1, server_header=False,
        )  # fmt: skip
        async with _Server(config).running(listening):
            yield callback
