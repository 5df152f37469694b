"""Sealed tokens that come back from clients: only what we made, to whom we made it."""

from fuzz.parts import cut
from lockgate.model import Cursor, Principal, Session
from lockgate.pipeline.sessions import Cursors, Sessions
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.sessions import MemorySessions
from lockgate.wire.refusal import WireRefusal

_SEALER = AesGcmSealer(b"k" * 32)
_ENDED = MemorySessions(lambda: 0)
_ENDED.refresh(0)
_SESSIONS = Sessions(_SEALER, _ENDED, 1_000)
_CURSORS = Cursors(_SEALER)
_ANN, _EVE = Principal("person", "ann"), Principal("person", "eve")
_SESSION = Session("s-1", _ANN.id, "/mcp", "2025-11-25", "c/1", b"{}", 0)
_CURSOR = Cursor(_ANN.id, "/mcp", "tools/list", 200, "0" * 32)
_OWN = (_SESSIONS.open(_SESSION), _CURSORS.seal(_CURSOR))


def sealed_tokens(data: bytes) -> None:
    """Parts: edits of our own tokens, ``position byte`` pairs; a token of the client's making."""
    edits, made = cut(data, 2)
    for own in (*_OWN, made.decode("latin-1")):
        token = _edited(own, edits)
        _check_session(token)
        _check_cursor(token)
    assert _SEALER.open("session", _OWN[0]) is not None


def _edited(token: str, edits: bytes) -> str:
    """Positions count from the front and, beyond the middle of a byte, from the back."""
    made = list(token)
    for at, new in zip(edits[::2], edits[1::2], strict=False):
        if not made:
            break
        at = at % len(made) if at < 128 else -1 - (at - 128) % len(made)
        made[at : at + 1 if at != -1 else None] = [chr(new)] if new else []
    return "".join(made)


def _check_session(token: str) -> None:
    for principal, endpoint, now in ((_ANN, "/mcp", 10), (_EVE, "/mcp", 10), (_ANN, "/mcp/x", 10),
                                     (_ANN, "/mcp", 2_000)):  # fmt: skip
        try:
            found = _SESSIONS.resume(token, principal, endpoint, now)
        except WireRefusal as refusal:
            assert refusal.reason == "session.unknown"
            continue
        assert (token, principal, endpoint, now) == (_OWN[0], _ANN, "/mcp", 10)
        assert found == _SESSION


def _check_cursor(token: str) -> None:
    for principal, endpoint, method in ((_ANN, "/mcp", "tools/list"), (_EVE, "/mcp", "tools/list"),
                                        (_ANN, "/mcp", "prompts/list")):  # fmt: skip
        try:
            found = _CURSORS.open(token, principal, endpoint, method)
        except WireRefusal as refusal:
            assert refusal.reason == "cursor.invalid"
            continue
        assert (token, principal, method) == (_OWN[1], _ANN, "tools/list")
        assert found == _CURSOR
