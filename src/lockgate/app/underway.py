"""What a stdio client has said: lines on their way, and what holds for its session."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import orjson

from lockgate.wire import edit

INITIALIZED = "notifications/initialized"
LISTEN = "subscriptions/listen"

_MOST_SAID_AGAIN = 100
_META_VERSION = "io.modelcontextprotocol/protocolVersion"


class Underway:
    """One line of the client's, until it has been answered."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.fields = peek(line)
        self.method = self.fields.get("method")
        self.id = edit.get(line, "/id") if self.method is not None else None
        """As the client wrote it, so that ``1`` and ``"1"`` are two; None for what asks nothing."""
        self.cancelled = False
        self.answered = False
        self._task: asyncio.Task[None] | None = None
        self._began = False

    def run(self, forwarding: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        self._task = asyncio.create_task(forwarding)
        return self._task

    def begin(self) -> None:
        """The answer begins. Only from here on pyreqwest 0.15 can be interrupted."""
        self._began = True

    def hear(self, message: bytes) -> None:
        """``message`` came on the stream of its answer."""
        if edit.get(message, "/id") == self.id and "method" not in peek(message):
            self.answered = True

    @property
    def unanswered(self) -> bool:
        """Somebody still waits for its answer."""
        return self.id is not None and not self.answered and not self.cancelled

    def cancel(self) -> None:
        """At once, or when the answer begins: with the gateway's first keep-alive at the latest."""
        self.cancelled = True
        if self._began and self._task is not None:
            self._task.cancel()


class Opening:
    """How the client opened its legacy session and what it set in it, to say it again where the
    gateway has lost the session. A request that was answered 404 has not been processed."""

    def __init__(self) -> None:
        self.session = ""
        self.line = b""
        self.version: object = None
        self._said: dict[bytes, bytes] = {}

    def opened(self, line: bytes, session: str, answer: bytes) -> None:
        self.line, self.session, self.version = line, session, version_in(answer)
        self._said.clear()

    def note(self, said: Underway) -> None:
        """What counts until it is said otherwise."""
        if said.method == "logging/setLevel":
            self._said[b""] = said.line
        elif said.method == "resources/unsubscribe":
            self._said.pop(_uri(said.line), None)
        elif said.method == "resources/subscribe" and len(self._said) < _MOST_SAID_AGAIN:
            self._said[_uri(said.line)] = said.line

    @property
    def again(self) -> list[bytes]:
        return [b'{"jsonrpc":"2.0","method":"%b"}' % INITIALIZED.encode(), *self._said.values()]


def version_in(answer: bytes) -> object:
    """The protocol version of an ``initialize`` answer."""
    result = peek(answer).get("result")
    return result.get("protocolVersion") if isinstance(result, dict) else None


def _uri(line: bytes) -> bytes:
    return edit.get(line, "/params/uri") or b""


def peek(line: bytes) -> dict[str, Any]:
    # Only to route; the gateway reads the line itself, strictly.
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def is_modern(message: dict[str, Any]) -> bool:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and _META_VERSION in meta


def addressed(body: bytes, id: bytes | None) -> bytes:
    """A refusal that came before the message was read names no request. On HTTP it answers the
    POST; on stdio only an id says what it answers."""
    if id is not None and edit.get(body, "/id") == b"null":
        return edit.put(body, "/id", id)
    return body
