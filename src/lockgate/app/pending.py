"""What a client gets while a person is asked: see ``docs/approvals.md``, which says the same for
who writes clients. Waiting is bounded, in time and in number, and nobody asks again and again."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec
import orjson

from lockgate.app.answers import Answer, finished, refused
from lockgate.app.asking import COMPLETE, Asking, Question
from lockgate.app.turn import Turn
from lockgate.app.vigil import Vigil, Watch
from lockgate.approval.questions import reason_of
from lockgate.model.inquiry import DONE, Inquiry
from lockgate.pipeline.run import USED, Refused
from lockgate.pipeline.sessions import TaskRef, Tasks
from lockgate.wire import edit, held, jsonrpc
from lockgate.wire.capabilities import ELICITATION, declares, takes_tasks
from lockgate.wire.held import Handle, handle_of
from lockgate.wire.rounds import ROUNDS, input_result
from lockgate.wire.versions import LEGACY

HOLD_SECONDS = 25.0
"""How long one request is kept waiting. Clients give up after 60 s, proxies after 60 s and more."""
PROGRESS_SECONDS = 5.0
MOST_TURNS = 3
"""How often a modern client is kept waiting for one answer, before it is sent away."""
MOST_EACH = 8
"""Requests of one principal that are kept waiting in this worker; further ones are answered."""
MOST = 500
_NO = ("decline", "cancel")

Again = Callable[[int], Awaitable[Answer | Refused]]
"""Makes the same call once more, with its client attached, for the given time."""


class _Case(msgspec.Struct, frozen=True):
    """A call that waits for an answer to ``one``."""

    turn: Turn
    one: Inquiry
    again: Again
    until: float
    """On the loop's clock."""

    @property
    def handle(self) -> Handle:
        return handle_of(self.one, self.turn.console)


class Pending:
    """One worker's."""

    def __init__(
        self, asking: Asking, tasks: Tasks, seal: Callable[[Turn, Inquiry, int], str]
    ) -> None:
        """``seal``: the state that a client carries to its next turn."""
        self.vigil = Vigil()
        self.hold_seconds = HOLD_SECONDS
        self.progress_seconds = PROGRESS_SECONDS
        self._asking = asking
        self._tasks = tasks
        self._seal = seal
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Requests that are kept waiting."""
        return self._held.total()

    async def declined(self, turn: Turn) -> Answer | None:
        """The answer to a client that comes again and has declined or closed our page: whoever asks
        takes the question back. To be looked at before the call is made. Raises ``StoreDown``."""
        asked = turn.earlier.asked if turn.earlier is not None else ""
        if not asked or held.action_in(turn.request.responses) not in _NO:
            return None
        return await self._withdrawn(turn, asked)

    @property
    def until(self) -> float:
        """To when a request that comes now is kept waiting, on the loop's clock."""
        return asyncio.get_running_loop().time() + self.hold_seconds

    async def answer(self, turn: Turn, why: Refused, again: Again, until: float) -> Answer:
        """To a call that was not let through, for the reason ``why``. Raises as ``run`` does."""
        one = why.inquiry
        if one is None or not handle_of(one).waits:
            return refused(turn.request, why, turn.console)
        case = _Case(turn, one, again, until)
        name, way = next((name, way) for name, fits, way in WAYS if fits(turn, one))
        turn.questions.told(one, name, why.call)
        said = await way(self, case)
        if said is not None:
            return said
        found = await turn.questions.inquiry(one.id) or one
        return refused(turn.request, _as_it_is(why.call, found), turn.console)

    # The ways. None: it waits still, and its client is told so.

    async def task(self, case: _Case) -> Answer | None:
        """Modern clients that declare the extension: asked about by ``tasks/get``."""
        one, caller = case.one, case.turn.caller
        ref = TaskRef(caller.principal.holder, caller.endpoint.path, "", "", "", one.id, held=True)
        said = held.task_of(one, case.handle, "working")
        said |= {"resultType": "task", "taskId": self._tasks.seal(ref)}
        return finished(case.turn.request, held.encode(said))

    async def rounds(self, case: _Case) -> Answer | None:
        """Modern clients that open pages: they show it, come again, and are kept waiting."""
        turn, request = case.turn.number(case.one), case.turn.request
        if turn == 0 and case.one.state == "pending":
            asked = {held.REQUEST: (ELICITATION, held.url_question(case.handle))}
            return finished(request, input_result(asked, self._seal(case.turn, case.one, 1)))
        with self._room(case) as room:
            said = await self._hold(case) if room else None
            if said is not None or not room or turn >= MOST_TURNS or self.vigil.over:
                return said
        return finished(request, input_result({}, self._seal(case.turn, case.one, turn + 1)))

    async def stream(self, case: _Case) -> Answer | None:
        """Legacy clients that open pages: asked on the stream of the call, which waits."""
        with self._room(case) as room:
            if not room:
                return None
            if case.one.state != "pending":
                return await self._hold(case)
            action = await self._asked(case)
            if action in _NO:
                return await self._withdrawn(case.turn, case.one.id)
            return await self._hold(case, asked=True) if action == "accept" else None

    async def plain(self, case: _Case) -> Answer | None:  # noqa: ARG002 - as the other ways
        """All others, at once."""
        return None

    async def _asked(self, case: _Case) -> str:
        """What the person at the client did about the page; empty where nothing came in time."""
        caller, one = case.turn.caller, case.one
        params = edit.put(held.url_question(case.handle), "/elicitationId", orjson.dumps(one.id))
        question = Question(caller.principal.holder, caller.session, ELICITATION, params)
        left = case.until - asyncio.get_running_loop().time()
        said = await self._asking.put(question, case.turn.put, left)
        if said is None or said.result is None:
            return ""
        return held.action_of(orjson.loads(said.result))

    async def _hold(self, case: _Case, *, asked: bool = False) -> Answer | None:
        """What came of the question, or None where time is up first. ``asked``: on the stream."""
        number = 0
        with self.vigil.watch(case.one.id) as watch:
            while True:
                watch.woken.clear()
                one = await case.turn.questions.inquiry(case.one.id)
                if one is None:
                    return None
                if asked and one.state != "pending":
                    asked = False
                    _complete(case)
                if _is_ready(one):
                    number += 1
                    said = await _out(case, one, number)
                    if said is not None:
                        return said
                if not await self._woken(watch, case):
                    return None

    async def _woken(self, watch: Watch, case: _Case) -> bool:
        """False where time is up, or the gateway is stopping."""
        loop = asyncio.get_running_loop()
        while not watch.woken.is_set():
            left = case.until - loop.time()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(min(left, self.progress_seconds)):
                    await watch.woken.wait()
            except TimeoutError:
                self._progress(case)
        return not self.vigil.over

    def _progress(self, case: _Case) -> None:
        """For clients that give up where they hear nothing. Not where the upstream will have its
        own to say: progress only goes up (MCP, Progress)."""
        token, past = case.turn.request.progress_token, self.hold_seconds
        if token is None or case.one.on_retry:
            return
        done = past - (case.until - asyncio.get_running_loop().time())
        said = {"progress": round(done, 3), "message": "awaiting approval"}
        params = edit.put(orjson.dumps(said), "/progressToken", jsonrpc.render_id(token))
        case.turn.put(jsonrpc.encode_notification("notifications/progress", params))

    async def _withdrawn(self, turn: Turn, id: str) -> Answer:
        found = await turn.questions.withdraw(id)
        if found is None:  # kept no more
            return refused(turn.request, Refused("approval.gone", turn.caller.call))
        return refused(turn.request, _as_it_is(turn.caller.call, found), turn.console)

    @contextmanager
    def _room(self, case: _Case) -> Iterator[bool]:
        """Whether one more may be kept waiting."""
        holder = case.turn.caller.principal.holder
        if self._held[holder] >= MOST_EACH or self.held >= MOST or self.vigil.over:
            yield False
            return
        self._held[holder] += 1
        try:
            yield True
        finally:
            self._held[holder] -= 1
            self._held += Counter()  # without those that are at zero


async def _out(case: _Case, one: Inquiry, number: int) -> Answer | None:
    """The end of it, or None where it waits on: somebody else runs it."""
    turn = case.turn
    if one.state != "approved" and one.state not in DONE:
        return refused(turn.request, _as_it_is(turn.caller.call, one), turn.console)
    said = await case.again(number)
    if isinstance(said, Answer):
        return said
    same = said.inquiry is not None and said.inquiry.id == one.id and handle_of(said.inquiry).waits
    if same or said.reason == USED:
        return None
    return refused(turn.request, said, turn.console)


def _as_it_is(call: str, one: Inquiry) -> Refused:
    return Refused(reason_of(one), call, inquiry=one)


def _complete(case: _Case) -> None:
    """What was asked on the stream is answered (MCP 2025-11-25, Elicitation)."""
    params = orjson.dumps({"elicitationId": case.one.id})
    case.turn.put(jsonrpc.encode_notification(COMPLETE, params))


def _is_ready(one: Inquiry) -> bool:
    """Something can be done about it: it is over, or its client is the one to carry it out."""
    return not handle_of(one).waits or (one.state == "approved" and one.on_retry)


def _takes_task(turn: Turn, one: Inquiry) -> bool:
    tool = turn.request.era == "modern" and turn.request.method == "tools/call"
    return tool and takes_tasks(turn.asks) and not one.on_retry


def _opens_pages(turn: Turn) -> bool:
    return bool(turn.console) and declares(turn.asks, ELICITATION, {"mode": "url"})


def _comes_again(turn: Turn, _: Inquiry) -> bool:
    again = turn.request.era == "modern" and turn.request.method in ROUNDS
    return again and _opens_pages(turn)


def _keeps_stream(turn: Turn, _: Inquiry) -> bool:
    newest = turn.request.era == "legacy" and turn.request.version == LEGACY[-1]
    return newest and turn.caller.streams and bool(turn.caller.session) and _opens_pages(turn)


def _any(_: Turn, __: Inquiry) -> bool:
    return True


Way = Callable[[Pending, _Case], Awaitable[Answer | None]]

WAYS: tuple[tuple[str, Callable[[Turn, Inquiry], bool], Way], ...] = (
    ("task", _takes_task, Pending.task),
    ("rounds", _comes_again, Pending.rounds),
    ("stream", _keeps_stream, Pending.stream),
    ("plain", _any, Pending.plain),
)
"""The first that fits the client, by what it declares."""
