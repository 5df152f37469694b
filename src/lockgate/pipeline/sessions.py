"""Sessions and cursors: sealed, so any worker can open them and only their principal can."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.model import Cursor, Principal, Session, SessionState
from lockgate.pipeline.ports import Sealer
from lockgate.wire.refusal import WireRefusal

_LARGEST_CAPABILITIES = 4_096

_read_session = msgspec.msgpack.Decoder(Session).decode
_read_cursor = msgspec.msgpack.Decoder(Cursor).decode


class EndedSessions(Protocol):
    """Sessions that were ended before their time."""

    async def end(self, session_id: str, expires: int) -> None: ...

    def ended(self, session_id: str) -> bool: ...


class SessionStates(Protocol):
    """What legacy sessions have set since they were opened. All raise ``StoreDown``."""

    async def change(
        self, session_id: str, change: Callable[[SessionState], SessionState], expires: int
    ) -> SessionState:
        """Of what is there, whichever worker wrote it. Durable on return. ``expires``: when the
        session does."""
        ...

    async def renew(self) -> None:
        """From here on ``load`` knows what others wrote until now."""
        ...

    def load(self, session_id: str) -> SessionState:
        """The empty state where nothing was set."""
        ...


class Sessions:
    """Legacy-era sessions (MCP 2025-11-25, Session Management). The sealed state is the id."""

    def __init__(self, sealer: Sealer, ended: EndedSessions, life_ms: int) -> None:
        self._sealer = sealer
        self._ended = ended
        self._life = life_ms

    def open(self, session: Session) -> str:
        """The ``Mcp-Session-Id`` to hand out. Raises ``WireRefusal`` for oversized capabilities."""
        if len(session.capabilities) > _LARGEST_CAPABILITIES:
            raise WireRefusal("wire.bad-params", detail="capabilities are too large")
        return self._sealer.seal("session", msgspec.msgpack.encode(session))

    def resume(self, token: str, principal: Principal, endpoint: str, now: int) -> Session:
        """Raises ``WireRefusal`` ``session.unknown`` for every session that is not this one's."""
        value = self._sealer.open("session", token)
        if value is None:
            raise WireRefusal("session.unknown")
        session = _read_session(value)
        mine = session.principal == principal.holder and session.endpoint == endpoint
        alive = now < session.opened + self._life and not self._ended.ended(session.id)
        if not (mine and alive):
            raise WireRefusal("session.unknown")
        return session

    async def end(self, session: Session) -> None:
        """Raises ``StoreDown`` where the end could not be made durable."""
        await self._ended.end(session.id, self.expires(session))

    def expires(self, session: Session) -> int:
        """When it ends by itself: milliseconds since the Unix epoch."""
        return session.opened + self._life


class RoundState(msgspec.Struct, frozen=True):
    """What a modern client carries between the rounds of one call."""

    principal: str
    endpoint: str
    about: str
    """Digest of the call as the client makes it, without what changes from round to round."""
    expires: int
    upstream: bytes | None = None
    """The upstream's own ``requestState``, raw."""
    node: str = ""
    parked: str = ""
    """Where the call waits, and under which name, if it does."""
    asked: str = ""
    """Id of the question to other people that this call waits for; then the rest is empty."""
    turn: int = 0
    """How often the client was sent away to come again for it."""


class Rounds:
    """``requestState``: sealed, for one principal and one call, until it expires."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, state: RoundState) -> str:
        return self._sealer.seal("round", msgspec.msgpack.encode(state))

    def open(
        self, token: str, principal: Principal, endpoint: str, about: str, now: int
    ) -> RoundState:
        """Raises ``WireRefusal`` ``round.invalid`` for any but this principal's and this call's."""
        value = self._sealer.open("round", token)
        if value is None:
            raise WireRefusal("round.invalid")
        state = _read_round(value)
        mine = (state.principal, state.endpoint, state.about) == (principal.holder, endpoint, about)
        if not mine or now >= state.expires:
            raise WireRefusal("round.invalid")
        return state


class TaskRef(msgspec.Struct, frozen=True):
    """A task as its upstream knows it, and whose it is."""

    principal: str
    endpoint: str
    upstream: str
    place: str
    """``Upstream.fingerprint``: a task is not looked for at another address."""
    tool: str
    id: str
    held: bool = False
    """It is Lockgate's own: ``id`` is that of the question to other people it waits for."""


class Tasks:
    """Outer task ids (SEP-2663): sealed, for one principal at one endpoint. They survive a restart,
    as tasks may."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, ref: TaskRef) -> str:
        return self._sealer.seal("task", msgspec.msgpack.encode(ref))

    def open(self, token: str, principal: Principal, endpoint: str) -> TaskRef:
        """Raises ``WireRefusal`` ``task.unknown`` for every task that is not this principal's."""
        value = self._sealer.open("task", token)
        if value is None:
            raise WireRefusal("task.unknown")
        ref = _read_task(value)
        if (ref.principal, ref.endpoint) != (principal.holder, endpoint):
            raise WireRefusal("task.unknown")
        return ref


class Cursors:
    """Where a principal's list goes on."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, cursor: Cursor) -> str:
        return self._sealer.seal("cursor", msgspec.msgpack.encode(cursor))

    def open(self, token: str, principal: Principal, endpoint: str, method: str) -> Cursor:
        """Raises ``WireRefusal`` ``cursor.invalid`` for another's, or another list's."""
        value = self._sealer.open("cursor", token)
        if value is None:
            raise WireRefusal("cursor.invalid")
        cursor = _read_cursor(value)
        if (cursor.principal, cursor.endpoint, cursor.method) != (
            principal.holder,
            endpoint,
            method,
        ):
            raise WireRefusal("cursor.invalid")
        return cursor


_read_round = msgspec.msgpack.Decoder(RoundState).decode
_read_task = msgspec.msgpack.Decoder(TaskRef).decode
