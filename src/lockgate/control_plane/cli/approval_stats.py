"""``lockgate approvals stats``: how asking people works out, never who."""

from typing import Annotated, Any

import typer

from lockgate.control_plane.cli.durations import duration_ms
from lockgate.control_plane.cli.office import office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.approval_statistics import (
    FEWEST,
    MOST,
    UNREAD_MS,
    Figures,
    Statistics,
    statistics,
)


def stats(
    ctx: typer.Context,
    since: Annotated[str, typer.Option(help="How far back: 24h, 30d, 12w.")] = "30d",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how asking people works out: how many questions, how long they wait, how they end.

    No figure is about one person: a group of fewer than 5 questions, or 5 people who answered, is
    folded into "others", and of too few only counts are told. UNREAD is the share of
    answers that came within 5 seconds.

    \b
    Examples:
      lockgate approvals stats
      lockgate approvals stats --since 12w --json

    Exit codes: 0 shown, 2 bad usage, 3 refused.
    """
    office, span = office_of(ctx), duration_ms(since, "--since")
    with records_of(ctx) as records:
        now = office.now_ms()
        found = statistics(records.inquiries, records.approvers.rules, now - span, now)
    if as_json:
        say_json(_plain(found))
        return
    if not found.whole.questions:
        say("Nobody was asked anything in this time.", err=True)
        return
    states = ", ".join(f"{count} {state}" for state, count in found.whole.states.items())
    say(f"{found.whole.questions} questions: {states}")
    heads = ("GROUP", "QUESTIONS", "MEDIAN", "P90", "APPROVED", "EXPIRED", "UNREAD", "ESCALATED")
    groups = {"all": found.whole} | {f"factor {k}": v for k, v in found.factors.items()}
    groups |= {f"tool {k}": v for k, v in found.tools.items()}
    say_table(heads, [_row(name, one) for name, one in groups.items()])
    if found.cut:
        say(f"Only the newest {MOST} questions were counted.", err=True)


def _plain(found: Statistics) -> dict[str, Any]:
    return {
        "whole": _figures(found.whole),
        "factors": {name: _figures(one) for name, one in found.factors.items()},
        "tools": {name: _figures(one) for name, one in found.tools.items()},
        "fewest": FEWEST, "unread_seconds": UNREAD_MS // 1_000, "cut": found.cut,
    }  # fmt: skip


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "questions": one.questions, "states": one.states, "median_seconds": _seconds(one.median_ms),
        "p90_seconds": _seconds(one.p90_ms), "approved": one.approved, "expired": one.expired,
        "unread": one.unread, "escalated": one.escalated,
    }  # fmt: skip


def _row(name: str, one: Figures) -> tuple[str, ...]:
    times = (_time(one.median_ms), _time(one.p90_ms))
    shares = (_percent(one.approved), _percent(one.expired), _percent(one.unread))
    return (name, str(one.questions), *times, *shares, str(one.escalated))


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else round(ms / 1_000, 1)


def _time(ms: int | None) -> str:
    if ms is None:
        return "-"
    return f"{ms / 1_000:.0f} s" if ms < 120_000 else f"{ms / 60_000:.0f} min"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
