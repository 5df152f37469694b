"""Sessions and cursors: sealed, so any worker can open them and only their principal can."""

from typing import Protocol

import msgspec

from lockgate.model import Cursor, Principal, Session
from lockgate.pipeline.ports import Sealer
from lockgate.wire.refusal import WireRefusal

_LARGEST_CAPABILITIES = 4_096

_read_session = msgspec.msgpack.Decoder(Session).decode
_read_cursor = msgspec.msgpack.Decoder(Cursor).decode


class EndedSessions(Protocol):
    """Sessions that were ended before their time."""

    async def end(self, session_id: str, expires: int) -> None: ...

    def ended(self, session_id: str) -> bool: ...


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
        await self._ended.end(session.id, session.opened + self._life)


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
