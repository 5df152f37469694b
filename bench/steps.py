"""Which of the fourteen steps a stack belongs to."""

from collections import Counter
from collections.abc import Iterable, Mapping

STEPS = {
    1: "receive", 2: "decode", 3: "authenticate", 4: "resolve", 5: "gather", 6: "authorise",
    7: "throttle", 8: "inspect arguments", 9: "ask a person", 10: "decide, record the intent",
    11: "forward", 12: "inspect the reply", 13: "answer", 14: "record the outcome",
}  # fmt: skip
LOOP = 0
"""The event loop and what it does in C for everybody."""
LOOP_NAME = "event loop, tasks, sockets"

_PLACES: tuple[tuple[str, str, int], ...] = (
    ("lockgate/upstream/", "", 11),
    ("pyreqwest/", "", 11),
    ("lockgate/pipeline/gather.py", "", 5),
    ("lockgate/store/quota.py", "", 7),
    ("lockgate/policy/quota.py", "", 7),
    ("lockgate/policy/", "", 6),
    ("lockgate/inspection/shapes.py", "", 12),
    ("lockgate/inspection/notices.py", "", 12),
    ("lockgate/inspection/", "", 8),
    ("lockgate/approval/", "", 9),
    ("lockgate/store/approvals.py", "", 9),
    ("lockgate/pipeline/record.py", "outcome", 14),
    ("lockgate/pipeline/record.py", "failure", 14),
    ("lockgate/pipeline/record.py", "intent", 10),
    ("lockgate/audit/journal.py", "note", 14),
    ("lockgate/audit/", "", 10),
    ("lockgate/store/", "", 10),
    ("lockgate/pipeline/run.py", "_forward", 11),
    ("lockgate/pipeline/run.py", "_let_out", 12),
    ("lockgate/pipeline/run.py", "_judge_reply", 12),
    ("lockgate/pipeline/run.py", "", 10),
    ("lockgate/pipeline/judge.py", "", 10),
    ("lockgate/pipeline/rounds.py", "", 10),
    ("lockgate/pipeline/asks.py", "", 11),
    ("lockgate/pipeline/resolve.py", "outer_result", 13),
    ("lockgate/pipeline/resolve.py", "", 4),
    ("lockgate/pipeline/obligations.py", "", 10),
    ("lockgate/identity/", "", 3),
    ("lockgate/app/gateway.py", "_finish", 13),
    ("lockgate/app/gateway.py", "_result", 13),
    ("lockgate/app/gateway.py", "", 2),
    ("lockgate/app/ingress_http.py", "_principal", 3),
    ("lockgate/app/ingress_http.py", "_finish", 13),
    ("lockgate/app/ingress_http.py", "_respond", 13),
    ("lockgate/app/exchange.py", "answer", 13),
    ("lockgate/app/exchange.py", "write", 13),
    ("lockgate/app/main.py", "", LOOP),
    ("lockgate/app/program.py", "", LOOP),
    ("lockgate/app/server.py", "", LOOP),
    ("lockgate/app/streams.py", "_finish", 13),
    ("lockgate/app/streams.py", "respond", 13),
    ("lockgate/app/answers.py", "", 13),
    ("lockgate/app/tasks.py", "", 2),
    ("lockgate/app/dialogue.py", "", 2),
    ("lockgate/app/", "", 1),
    ("uvicorn/", "send", 13),
    ("uvicorn/server.py", "", LOOP),
    ("uvicorn/", "", 1),
)
"""Path, function (empty: any), step. ``wire`` and ``model`` work for whoever calls them."""


def step_of(stack: str) -> int:
    """By the innermost frame that belongs to one step."""
    for frame in reversed(stack.split(";")):
        path, _, function = frame.rpartition(":")
        for start, name, step in _PLACES:
            if path.startswith(start) and name in ("", function):
                return step
    return LOOP


def by_step(stacks: Mapping[str, int]) -> Counter[int]:
    """Nanoseconds of each step."""
    found: Counter[int] = Counter()
    for stack, spent in stacks.items():
        found[step_of(stack)] += spent
    return found


def hottest(stacks: Mapping[str, int], count: int) -> list[tuple[str, int]]:
    """The innermost frames where most time is spent."""
    found: Counter[str] = Counter()
    for stack, spent in stacks.items():
        found[stack.rpartition(";")[2]] += spent
    return found.most_common(count)


def rows(stacks: Mapping[str, int], calls: int) -> Iterable[tuple[str, str, str, str]]:
    """Number, name, microseconds a call, share."""
    found = by_step(stacks)
    whole = sum(found.values()) or 1
    for number in (*STEPS, LOOP):
        name, each = STEPS.get(number, LOOP_NAME), found[number] / 1e3 / max(1, calls)
        yield (str(number or "-"), name, f"{each:.1f}", f"{100 * found[number] / whole:.0f} %")
