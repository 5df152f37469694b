"""Whether a soak held: what grew, what was lost, what came twice. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

FEWEST = 6
"""Samples without which nothing is said about growth."""


class Bound(msgspec.Struct, frozen=True):
    """How much more the last third of a run may hold than its middle third."""

    ratio: float
    slack: float

    def allows(self, middle: float, last: float) -> bool:
        return last <= middle * (1 + self.ratio) + self.slack


BOUNDS: Mapping[str, Bound] = {
    "rss_mib": Bound(0.05, 4.0),
    "descriptors": Bound(0.10, 8),
    "threads": Bound(0.0, 2),
    "tasks": Bound(0.10, 8),
    "children": Bound(0.10, 4),
    "backlog": Bound(0.0, 50),
}
"""Medians swing by what runs just then; a leak does not swing back."""


class Growth(msgspec.Struct, frozen=True):
    what: str
    first: float
    middle: float
    last: float
    """Medians of each third."""
    most: float
    holds: bool


def growth(samples: Mapping[str, Sequence[float]]) -> list[Growth]:
    """Each series, in the order of its samples, against its bound. Too few samples do not hold."""
    return [_grown(what, list(series)) for what, series in sorted(samples.items())]


def _grown(what: str, series: list[float]) -> Growth:
    if len(series) < FEWEST:
        return Growth(what, 0, 0, 0, max(series, default=0), holds=False)
    third = len(series) // 3
    first, middle, last = (
        median(part) for part in (series[:third], series[third:-third], series[-third:])
    )
    return Growth(what, first, middle, last, max(series), BOUNDS[what].allows(middle, last))


class Row(msgspec.Struct, frozen=True):
    """A journal row about a call. ``token``: of its arguments, in intents of counted calls."""

    call: str
    kind: str
    effect: str
    reason: str
    token: str = ""


def unpaired(rows: Iterable[Row]) -> list[str]:
    """Calls that have not exactly one intent and, where it was permitted, one outcome."""
    intents, outcomes, sent = Counter[str](), Counter[str](), set[str]()
    for row in rows:
        if row.kind == "call.intent":
            intents[row.call] += 1
            sent |= {row.call} if row.effect == "permit" else set()
        elif row.kind == "call.outcome":
            outcomes[row.call] += 1
    return [
        f"{call}: {intents[call]} intents, {outcomes[call]} outcomes"
        for call in sorted(intents.keys() | outcomes.keys())
        if intents[call] != 1 or outcomes[call] != (1 if call in sent else 0)
    ]


def miscounted(
    rows: Iterable[Row], received: Mapping[str, int], answered: Mapping[str, int]
) -> list[str]:
    """Tokens that reached their upstream too often, or not although the call succeeded.

    ``received``: how often upstreams saw each token. ``answered``: how often a client got a result.
    A call that failed on its way may have been received or not, but once at most.
    """
    rows = list(rows)
    token_of = {r.call: r.token for r in rows if r.kind == "call.intent" and r.token}
    sent = Counter(
        r.token for r in rows if r.kind == "call.intent" and r.effect == "permit" and r.token
    )
    done = Counter(
        token_of[r.call]
        for r in rows
        if r.kind == "call.outcome" and r.effect == "permit" and r.call in token_of
    )
    faults = []
    for token in sorted(sent.keys() | received.keys() | answered.keys()):
        low, high, came = done[token], sent[token], received.get(token, 0)
        if not low <= came <= high:
            faults.append(f"{token}: received {came}, but {low} succeeded of {high} sent")
        if answered.get(token, 0) > low:
            faults.append(f"{token}: the client has an answer that the journal does not know")
    return faults
