import msgspec
import pytest

from lockgate.model import Cursor, Session
from lockgate.pipeline.sessions import Cursors, Sessions
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.sessions import MemorySessions
from lockgate.wire.refusal import WireRefusal
from worlds import ALICE, BOB

OPEN = Session("s-1", ALICE.holder, "/mcp", "2025-11-25", "ide/1", b"{}", 1_000)
LIFE_MS = 60_000
SEALER = AesGcmSealer(b"k" * 32)


@pytest.fixture
def sessions() -> Sessions:
    ended = MemorySessions(lambda: 1_000)
    ended.refresh(1_000)
    return Sessions(SEALER, ended, LIFE_MS)


def test_a_session_opens_for_its_principal_at_its_endpoint(sessions: Sessions) -> None:
    assert sessions.resume(sessions.open(OPEN), ALICE, "/mcp", 2_000) == OPEN


def test_a_session_survives_a_new_credential_of_the_same_principal(sessions: Sessions) -> None:
    renewed = msgspec.structs.replace(ALICE, credential="k-9", authn=frozenset({"oauth"}))
    assert sessions.resume(sessions.open(OPEN), renewed, "/mcp", 2_000) == OPEN


@pytest.mark.parametrize("case", ["principal", "endpoint", "late", "tampered", "cursor"])
def test_every_other_use_of_a_session_is_refused_alike(sessions: Sessions, case: str) -> None:
    token = sessions.open(OPEN)
    principal, endpoint, now = ALICE, "/mcp", 2_000
    match case:
        case "principal":
            principal = BOB
        case "endpoint":
            endpoint = "/mcp/clinic"
        case "late":
            now = 1_000 + LIFE_MS
        case "tampered":
            token = ("B" if token[0] != "B" else "C") + token[1:]
        case "cursor":
            token = Cursors(SEALER).seal(Cursor(ALICE.holder, "/mcp", "tools/list", 1, "s"))
    with pytest.raises(WireRefusal) as refused:
        sessions.resume(token, principal, endpoint, now)
    assert refused.value.reason == "session.unknown"


async def test_an_ended_session_is_unknown(sessions: Sessions) -> None:
    token = sessions.open(OPEN)
    await sessions.end(OPEN)
    with pytest.raises(WireRefusal):
        sessions.resume(token, ALICE, "/mcp", 2_000)


def test_oversized_capabilities_are_refused(sessions: Sessions) -> None:
    huge = msgspec.structs.replace(OPEN, capabilities=b'{"x":"' + b"y" * 5_000 + b'"}')
    with pytest.raises(WireRefusal) as refused:
        sessions.open(huge)
    assert refused.value.reason == "wire.bad-params"


@pytest.mark.parametrize(
    ("principal", "endpoint", "method"),
    [(BOB, "/mcp", "tools/list"), (ALICE, "/mcp/x", "tools/list"), (ALICE, "/mcp", "prompts/list")],
)
def test_a_cursor_serves_one_principal_endpoint_and_list(
    principal: object, endpoint: str, method: str
) -> None:
    cursors = Cursors(SEALER)
    mine = Cursor(ALICE.holder, "/mcp", "tools/list", 3, "snap")
    token = cursors.seal(mine)
    assert cursors.open(token, ALICE, "/mcp", "tools/list") == mine
    with pytest.raises(WireRefusal) as refused:
        cursors.open(token, principal, endpoint, method)  # type: ignore[arg-type]
    assert refused.value.reason == "cursor.invalid"
    with pytest.raises(WireRefusal):
        cursors.open("garbage", ALICE, "/mcp", "tools/list")
