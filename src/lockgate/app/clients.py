"""Whoever waits for the answer of a running call, and how they can be asked something meanwhile."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec

from lockgate.app.asking import ASK_SECONDS, Asking, Put
from lockgate.model import Notice, Permit, Release, Reply, SendFailed
from lockgate.pipeline.asks import Silent
from lockgate.pipeline.run import Refused
from lockgate.wire import bridge, edit, jsonrpc, meta
from lockgate.wire.request import Request

log = logging.getLogger("lockgate.clients")

MESSAGE = "notifications/message"


class Waiting(Silent):
    """Takes notifications; can be asked nothing."""

    def __init__(self, request: Request, put: Put) -> None:
        self._token = request.progress_token
        self._put = put

    def deliver(self, release: Release) -> None:
        """Progress goes out under the client's own token (MCP 2025-11-25, Progress), a log message
        where it is as severe as the client wants (Logging)."""
        if not isinstance(release.said, Notice):
            return
        method, params = release.said.method, release.said.raw
        if method == MESSAGE and not _is_wanted(release.said):
            return
        if method == "notifications/progress":
            if self._token is None:
                return
            params = edit.put(params, "/progressToken", jsonrpc.render_id(self._token))
        self._put(jsonrpc.encode_notification(method, params))


class Streamed(Waiting):
    """A legacy client with an open stream: asked there, answers with a message of its own."""

    def __init__(self, request: Request, put: Put, asking: Asking) -> None:
        super().__init__(request, put)
        self._asking = asking

    async def ask(self, permit: Permit) -> Reply:
        return await self._asking.ask(permit, self._put)


class _Question(msgspec.Struct):
    permit: Permit
    answer: "asyncio.Future[bytes]"


class Conversation(Waiting):
    """A modern client's call before a legacy upstream: when that asks, the client gets the question
    as an answer and comes again, while the call waits here (MCP 2026-07-28, multi round-trip)."""

    def __init__(self, request: Request, put: Put, seconds: float = ASK_SECONDS) -> None:
        super().__init__(request, put)
        self._seconds = seconds
        self._questions: dict[str, _Question] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[Release | Refused] | None = None

    def begin(
        self, call: Coroutine[Any, Any, Release | Refused]
    ) -> "asyncio.Task[Release | Refused]":
        self._task = asyncio.ensure_future(call)
        self._task.add_done_callback(lambda _: self._changed.set())
        return self._task

    async def ask(self, permit: Permit) -> Reply:
        """Raises ``SendFailed`` ``ask.expired``."""
        key = permit.call.id.rpartition(".")[2]
        question = _Question(permit, asyncio.get_running_loop().create_future())
        self._questions[key] = question
        self._changed.set()
        try:
            async with asyncio.timeout(self._seconds):
                return Reply(permit.call, await question.answer)
        except TimeoutError:
            raise SendFailed("ask.expired", permit.call.method) from None
        finally:
            del self._questions[key]

    @property
    def questions(self) -> Mapping[str, tuple[str, bytes]]:
        """Method and params of each question that is open now, by key."""
        return {
            key: (said.method, bridge.ask_params("modern", said.method, said.params))
            for key, question in self._questions.items()
            if not question.answer.done()
            for said in (question.permit.call,)
        }

    def resume(self, request: Request, put: Put) -> None:
        """The client came again: give out the answers it brought. Keys nobody asked for are
        ignored, questions without an answer stay open."""
        self._token, self._put = request.progress_token, put
        for key, raw in edit.members(request.responses or b"{}").items():
            question = self._questions.get(key)
            if question and not question.answer.done() and edit.is_object(raw):
                question.answer.set_result(raw)

    async def next(self) -> Release | Refused | None:
        """The call's answer; None where there are questions first. Cancelling it ends the call."""
        assert self._task is not None  # noqa: S101 - begun by whoever made it
        try:
            while not self._task.done() and not self.questions:
                self._changed.clear()
                await self._changed.wait()
        except asyncio.CancelledError as ended:
            self.cancel(*ended.args)
            raise
        return self._task.result() if self._task.done() else None

    def cancel(self, why: str = "") -> None:
        """Nobody waits for this call any more, also where it has failed meanwhile."""
        if self._task is not None:
            self._task.cancel(why)
            self._task.add_done_callback(_tell)


def _is_wanted(message: Notice) -> bool:
    return meta.reaches(message.decoded.get("level"), message.call.envelope.log_level)


def _tell(task: "asyncio.Task[Release | Refused]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a call that waited for its client failed", exc_info=task.exception())
