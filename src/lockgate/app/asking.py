"""Questions that wait for a legacy client's answer, by the id they were asked under."""

import asyncio
import secrets
from collections.abc import Callable

import msgspec

from lockgate.model import Call, Permit, Reply, SendFailed
from lockgate.upstream.link import Event
from lockgate.wire import bridge, edit, jsonrpc
from lockgate.wire.jsonrpc import Message

ASK_SECONDS = 600.0
"""How long a person may take."""

COMPLETE = "notifications/elicitation/complete"
MOST_ELICITED = 1_000
"""Elicitations by URL that may still be said to be complete."""

_MARK = "lg"
"""In front of ids of ours, so that others are told apart at once."""

Put = Callable[[bytes], None]
"""Takes one encoded message for the client."""


class Question(msgspec.Struct, frozen=True):
    """To the client of one session."""

    holder: str
    session: str
    method: str
    params: bytes


class _Open(msgspec.Struct):
    holder: str
    session: str
    answer: "asyncio.Future[Message]"


class Elicited:
    """Elicitations by URL, which end later than their answer. Both sides have ids of their own."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str, str, bytes], tuple[str, Put]] = {}

    def note(self, call: Call, put: Put) -> None:
        theirs = edit.get(call.params, "/elicitationId")
        if theirs is None or call.decoded.get("mode") != "url":
            return
        key = (call.principal.holder, call.envelope.session, call.upstream.name, theirs)
        self._asked[key] = (call.id, put)
        if len(self._asked) > MOST_ELICITED:
            del self._asked[next(iter(self._asked))]

    def complete(self, event: Event) -> tuple[bytes, Put] | None:
        """What its client is told of it, and where the question was put; None for what is none."""
        theirs, terms = edit.get(event.params, "/elicitationId") or b"", event.terms
        found = self._asked.pop((terms.holder, terms.session, event.upstream, theirs), None)
        if found is None:
            return None
        ours, put = found
        return msgspec.json.encode({"elicitationId": ours}), put


class Asking:
    """One worker's open questions. The id says which worker, and cannot be guessed."""

    def __init__(self, node: str, seconds: float = ASK_SECONDS) -> None:
        self._node = node
        self._seconds = seconds
        self._open: dict[str, _Open] = {}
        self.elicited = Elicited()

    @property
    def open(self) -> int:
        return len(self._open)

    async def ask(self, permit: Permit, put: Put) -> Reply:
        """Ask the client of the call's session. Cancelling it takes the question back.

        Raises ``SendFailed`` ``ask.expired``.
        """
        call = permit.call
        params = bridge.ask_params("legacy", call.method, call.params, call.id)
        self.elicited.note(call, put)
        asked = Question(call.principal.holder, call.envelope.session, call.method, params)
        said = await self.put(asked, put, self._seconds)
        if said is None:
            raise SendFailed("ask.expired", call.method)
        if said.error is not None:
            return Reply(call, said.error, is_error=True)
        return Reply(call, said.result or b"{}")

    async def put(self, asked: Question, put: Put, seconds: float) -> Message | None:
        """What the client says to it; None where it says nothing in time: the question is taken
        back then, as it is where this is cancelled."""
        id = f"{_MARK}.{self._node}.{secrets.token_urlsafe(12)}"
        answer = asyncio.get_running_loop().create_future()
        self._open[id] = _Open(asked.holder, asked.session, answer)
        put(jsonrpc.encode_request(id, asked.method, asked.params))
        try:
            async with asyncio.timeout(seconds):
                found: Message = await answer
                return found
        except TimeoutError:
            put(_taken_back(id))
            return None
        except asyncio.CancelledError:
            put(_taken_back(id))
            raise
        finally:
            del self._open[id]

    def answer(self, message: Message, holder: str, session: str) -> bool:
        """Whether ``message`` answers a question put to this very session here."""
        found = self._open.get(message.id) if isinstance(message.id, str) else None
        if found is None or (found.holder, found.session) != (holder, session):
            return False
        if not found.answer.done():
            found.answer.set_result(message)
        return True


def node_of(id: object) -> str:
    """The worker that asked under this id; empty for ids that are none of ours."""
    if not isinstance(id, str) or not id.startswith(f"{_MARK}."):
        return ""
    return id[len(_MARK) + 1 :].rpartition(".")[0]


def _taken_back(id: str) -> bytes:
    return jsonrpc.encode_notification(
        "notifications/cancelled", msgspec.json.encode({"requestId": id})
    )
