"""What a held call would do, where its upstream can say so without doing it. Pure.

A preview is another tool's call, made from the held call's arguments. It must never be a way to run
what nobody has approved: text is only ever put behind ``EXPLAIN`` where it is one plain statement.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_PLACE = re.compile(r"\{((?:/(?:[^~/{}]|~0|~1)+)+)\}")
_STATEMENT = re.compile(
    r"\s*(?:select|insert|update|delete|merge|with|values)\b[^;\\\0]*;?\s*\Z", re.I
)
"""Programs such as psql and mysql take more than SQL: there a backslash begins a command of theirs,
and some of these end a statement (``\\g``) or run a program (``\\!``)."""
_POSTGRES = re.compile(
    r"\bon ([\w.\"]{1,160})(?: [^()\n]{0,160})?\([^()\n]{0,80}?rows=(\d{1,18})\b", re.ASCII
)
"""Every part is bounded: the text is an upstream's, and must cost no more than reading it."""
_SQLITE = re.compile(r"\b(?:SCAN|SEARCH)\s+(?:TABLE\s+)?([\w.]+)")

_ANALYZE = re.compile(r"\banaly[sz]e\b", re.I)


class NoPreview(Exception):
    """Why there is none, for whoever looks at the question."""


class PreviewRule(msgspec.Struct, frozen=True):
    tool: str
    """Of the same upstream. It must change nothing: whoever configures it says so."""
    arguments: Mapping[str, str]
    """``{/pointer}`` is the held call's argument, as it is where nothing stands beside it."""


class PlanFact(msgspec.Struct, frozen=True):
    """One table that the statement touches."""

    table: str
    rows: int | None = None
    """As the database estimates."""


def arguments_for(rule: PreviewRule, held: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ``NoPreview``."""
    return {name: _filled(template, held) for name, template in rule.arguments.items()}


def runs_it(template: str) -> bool:
    """Whether the statement would be run to explain it."""
    return bool(_PLACE.search(template) and _ANALYZE.search(template))


def plan_facts(text: str) -> tuple[PlanFact, ...]:
    """Tables and estimated rows in the plan of PostgreSQL (EXPLAIN) or SQLite (EXPLAIN QUERY
    PLAN); nothing in other text."""
    found = [PlanFact(m[1].strip('"'), int(m[2])) for m in _POSTGRES.finditer(text)]
    found = found or [PlanFact(m[1]) for m in _SQLITE.finditer(text)]
    return tuple(dict.fromkeys(found))


def _filled(template: str, held: Mapping[str, Any]) -> Any:
    whole = _PLACE.fullmatch(template)
    if whole:
        return _at(held, whole[1])
    return _PLACE.sub(lambda place: _statement(_at(held, place[1])), template)


def _at(held: Mapping[str, Any], pointer: str) -> Any:
    found: Any = held
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            raise NoPreview(f"the call has no argument {pointer}")
        found = found[name]
    return found


def _statement(value: Any) -> str:
    """Several statements in one text would run all but the first."""
    if not isinstance(value, str) or not _STATEMENT.match(value):
        raise NoPreview("the statement is not one plain statement, so it is not asked about")
    return value
