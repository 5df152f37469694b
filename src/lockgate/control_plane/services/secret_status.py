"""What is known of every secret that the configuration names, and what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import msgspec

from lockgate.control_plane.services.acting import EventAppender
from lockgate.control_plane.services.keys import DAY_MS
from lockgate.model.reference import Place, Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretBackend, SecretSeen, SecretUse

State = Literal["ok", "overdue", "age unknown", "failing"]
Outcome = Literal["accepted", "refused", "unreachable", "unproven"]

_AT_ONCE = 8


class Proof(msgspec.Struct, frozen=True):
    """How one upstream took one credential. Holds nothing of it."""

    upstream: str
    outcome: Outcome
    detail: str = ""


class Prober(Protocol):
    """Asks an upstream something harmless with a credential. Blocks; raises nothing."""

    def probe(self, upstream: str, reference: Reference, value: str) -> Proof: ...


class Ledger(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def observe(self, found: Mapping[Reference, Secret], now: int) -> Mapping[str, SecretSeen]: ...

    def rotated(self, reference: Reference, now: int) -> None: ...

    def probed(self, reference: Reference, result: str, now: int) -> None: ...


class SecretDesk(msgspec.Struct, frozen=True):
    """One deployment's secrets and all that may be done with them."""

    uses: Mapping[Reference, tuple[SecretUse, ...]]
    backends: Mapping[Place, SecretBackend]
    ledger: Ledger
    events: EventAppender
    prober: Prober
    max_age: Callable[[Reference], int]
    """Days."""

    def read(self, reference: Reference) -> Secret:
        """Raises ``ReferenceBroken``."""
        return self.backends[reference.place].read(reference)

    def upstreams(self, reference: Reference) -> tuple[str, ...]:
        """Whose credential it is, or part of it."""
        named = (use.upstream for use in self.uses[reference] if use.upstream)
        return tuple(dict.fromkeys(named))


class Status(msgspec.Struct, frozen=True):
    """Times are ms since the epoch, 0 where unknown."""

    reference: Reference
    state: State
    max_age_days: int
    uses: tuple[SecretUse, ...]
    version: str = ""
    made: int = 0
    first_seen: int = 0
    probed: int = 0
    probe: str = ""
    detail: str = ""
    """What is wrong, where something is."""

    @property
    def wrong(self) -> bool:
        return self.state != "ok"


def status_of(desk: SecretDesk, now: int) -> tuple[Status, ...]:
    """Reads every secret. Raises ``StoreDown``."""
    references = sorted(desk.uses, key=str)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = dict(
            zip(references, pool.map(lambda one: _read(desk, one), references), strict=True)
        )
    found = {one: secret for one, secret in read.items() if isinstance(secret, Secret)}
    known = desk.ledger.observe(found, now)
    return tuple(_judge(desk, one, read[one], known.get(str(one)), now) for one in references)


def wrong(found: Sequence[Status]) -> bool:
    return any(one.wrong for one in found)


def _read(desk: SecretDesk, reference: Reference) -> Secret | str:
    """The secret, or why it cannot be read."""
    try:
        return desk.read(reference)
    except ReferenceBroken as broken:
        return str(broken)


def _judge(
    desk: SecretDesk, reference: Reference, read: Secret | str, seen: SecretSeen | None, now: int
) -> Status:
    days = desk.max_age(reference)
    bare = Status(reference, "failing", days, desk.uses[reference])
    if seen is not None:
        bare = msgspec.structs.replace(
            bare, version=seen.version, made=seen.made, first_seen=seen.first_seen,
            probed=seen.probed, probe=seen.probe,
        )  # fmt: skip
    if isinstance(read, str):
        return msgspec.structs.replace(bare, detail=read)
    state, detail = _grade(bare, days, now)
    return msgspec.structs.replace(bare, state=state, detail=detail)


def _grade(seen: Status, days: int, now: int) -> tuple[State, str]:
    if seen.probe == "refused":
        return "failing", "an upstream refused it when it was probed last"
    if not seen.made:
        return "age unknown", "nothing says when it was made, so it counts as overdue"
    age = (now - seen.made) // DAY_MS
    if now - seen.made > days * DAY_MS:
        return "overdue", f"it is {age} days old, and {days} are allowed"
    return "ok", ""
