import msgspec
import pytest

from lockgate.model import Cursor, Session
from lockgate.pipeline.sessions import Cursors, Rounds, RoundState, Sessions, TaskRef, Tasks
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


ROUND = RoundState(ALICE.holder, "/mcp", "digest", 9_000, b'"their \\u00e9"', "node", "parked")


def test_a_round_goes_on_for_its_principal_and_call_with_every_byte() -> None:
    rounds = Rounds(SEALER)
    token = rounds.seal(ROUND)
    renewed = msgspec.structs.replace(ALICE, credential="k-9")
    assert rounds.open(token, renewed, "/mcp", "digest", 8_999) == ROUND
    assert "their" not in token
    bare = msgspec.structs.replace(ROUND, upstream=None, node="", parked="")
    assert rounds.open(rounds.seal(bare), ALICE, "/mcp", "digest", 1) == bare


@pytest.mark.parametrize(
    "case", ["principal", "endpoint", "call", "expired", "tampered", "made-up", "session"]
)
def test_every_other_use_of_a_round_is_refused_alike(case: str, sessions: Sessions) -> None:
    rounds = Rounds(SEALER)
    token = rounds.seal(ROUND)
    principal, endpoint, about, now = ALICE, "/mcp", "digest", 2_000
    match case:
        case "principal":
            principal = BOB
        case "endpoint":
            endpoint = "/mcp/clinic"
        case "call":
            about = "another"
        case "expired":
            now = ROUND.expires
        case "tampered":
            token = ("A" if token[0] != "A" else "B") + token[1:]
        case "made-up":
            token = "e30"
        case "session":
            token = sessions.open(OPEN)
    with pytest.raises(WireRefusal, match=r"round\.invalid"):
        rounds.open(token, principal, endpoint, about, now)


TASK = TaskRef(ALICE.holder, "/mcp", "clinic", "place", "get_patient", "their id \u00e9")


def test_a_task_is_found_again_by_its_principal_at_its_endpoint() -> None:
    tasks = Tasks(SEALER)
    renewed = msgspec.structs.replace(ALICE, credential="k-9")
    token = tasks.seal(TASK)
    assert tasks.open(token, renewed, "/mcp") == TASK
    assert "their" not in token
    assert Tasks(AesGcmSealer(b"k" * 32)).open(token, ALICE, "/mcp") == TASK, "after a restart"


@pytest.mark.parametrize("case", ["principal", "endpoint", "tampered", "made-up", "round"])
def test_every_other_use_of_a_task_is_refused_alike(case: str) -> None:
    tasks = Tasks(SEALER)
    token, principal, endpoint = tasks.seal(TASK), ALICE, "/mcp"
    match case:
        case "principal":
            principal = BOB
        case "endpoint":
            endpoint = "/mcp/clinic"
        case "tampered":
            token = ("A" if token[0] != "A" else "B") + token[1:]
        case "made-up":
            token = TASK.id
        case "round":
            token = Rounds(SEALER).seal(ROUND)
    with pytest.raises(WireRefusal, match=r"task\.unknown"):
        tasks.open(token, principal, endpoint)
