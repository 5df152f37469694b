"""The gate: nothing may go worse through Lockgate than directly, but for what is written down."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from conformance.suite import Check, Finding

FINE = Finding("SUCCESS")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reviewed line: what cannot go well, and why."""

    scenario: str
    reason: str
    checks: tuple[str, ...] = ()
    """Ids. Empty: the scenario as a whole."""
    sets: tuple[str, ...] = ()
    """Sets that have the scenario, where the run has several. Empty: all."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    expected: tuple[Expected, ...]


def read_expected(place: Path) -> tuple[Expected, ...]:
    """Raises ``ValueError`` for a line without a reason, or one that is there twice."""
    found = msgspec.convert(tomllib.loads(place.read_text()), _File).expected
    seen: set[tuple[str, str]] = set()
    for line in found:
        if len(line.reason.split()) < 4:
            raise ValueError(f"{place.name}: {line.scenario} has no reason")
        for id in line.checks or ("",):
            if (line.scenario, id) in seen:
                raise ValueError(f"{place.name}: {line.scenario} {id} is there twice")
            seen.add((line.scenario, id))
    return found


def worse(
    through: Mapping[Check, Finding], direct: Mapping[Check, Finding]
) -> dict[Check, Finding]:
    """What went well directly and did not through the gateway: failed, warned, skipped or never
    looked at."""
    found = {}
    for check in through.keys() | direct.keys():
        before, now = direct.get(check, FINE), through.get(check)
        if now is None and before.status == "SUCCESS":
            found[check] = Finding("SKIPPED", "this check never came")
        elif now is not None and now.rank > before.rank:
            found[check] = now
    return found


def judge(
    found: Mapping[Check, Finding], expected: tuple[Expected, ...]
) -> tuple[dict[Check, Finding], list[Expected]]:
    """What is bad and not expected, and what is expected but is not bad (any more)."""
    left = dict(found)
    idle = []
    for line in expected:
        wanted = {Check(line.scenario, id) for id in line.checks}
        hit = wanted & found.keys() if wanted else _of(line.scenario, found)
        for check in hit:
            left.pop(check, None)
        if not hit or hit < wanted:
            idle.append(msgspec.structs.replace(
                line, checks=tuple(sorted(check.id for check in wanted - hit))))  # fmt: skip
    return left, idle


def _of(scenario: str, found: Mapping[Check, Finding]) -> set[Check]:
    """``auth/*`` stands for every scenario below."""
    if scenario.endswith("/*"):
        return {check for check in found if check.scenario.startswith(scenario[:-1])}
    return {check for check in found if check.scenario == scenario}
