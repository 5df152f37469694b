"""The journal's calls, looked through for lists and pictures. Reads are bounded: by rows looked at,
not only by rows found, so that a rare wish costs no more than a frequent one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, func, or_, select

from lockgate.model.listed_call import CallsPage, CallsWanted, ListedCall, Tally
from lockgate.store.database import reading
from lockgate.store.failing import store_errors
from lockgate.store.tables import event, slot

LOOKED_AT = 20_000
"""Journal rows that one page looks through."""
TALLIED = 50_000
"""The same for one tally."""
LATEST = 500
"""Calls whose time is taken."""
MOST_REASONS = 8

_BEGINS, _ENDS = ("call.intent", "call.refused"), ("call.outcome", "call.refused")
_began, _ended = event.alias("began"), event.alias("ended")


class StoredCalls:
    """Blocks. Raises ``StoreDown``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, wanted: CallsWanted, before: int, limit: int) -> CallsPage:
        """The newest ``limit`` that began before ``before`` (0: of all). Where there may be more,
        ``older`` says so, also on a page that found none among the rows that it looked at. What a
        call came to is not looked for beyond ``LOOKED_AT`` rows after those."""
        with store_errors("cannot read the journal"), reading(self._engine) as connection:
            top = before or _newest(connection) + 1
            floor = max(0, top - LOOKED_AT)
            query = _calls(wanted, self._engine.dialect.name).where(
                _began.c.seq < top, _began.c.seq >= floor
            )
            if wanted.effect or wanted.reason:
                query = query.where(_began.c.call.in_(_likely(wanted, floor, top + LOOKED_AT)))
            rows = connection.execute(query.limit(limit + 1)).all()
            actors = _actors(connection, [row.id for row in rows[:limit]])
        more = len(rows) > limit
        calls = tuple(_listed(row, actors.get(row.id, b"")) for row in rows[:limit])
        return CallsPage(calls, calls[-1].seq if more else floor)

    def tally(self, since: int, step: int) -> Tally:
        """Of all rows since then, but ``TALLIED`` at most."""
        with store_errors("cannot read the journal"), reading(self._engine) as connection:
            floor = _newest(connection) - TALLIED
            late = and_(event.c.seq > floor, event.c.at >= since)
            before = select(event.c.at).where(event.c.seq <= floor).order_by(event.c.seq.desc())
            left_out = connection.scalar(before.limit(1))
            counts, reasons = _counted(connection, late, since, step)
            lasted = tuple(sorted(row.lasted for row in connection.execute(_lasted(late))))
        whole = left_out is None or left_out < since
        return Tally(since, step, counts, reasons, lasted, whole)


def _newest(connection: Connection) -> int:
    return connection.scalar(select(func.max(event.c.seq))) or 0


def _calls(wanted: CallsWanted, dialect: str) -> Select[Any]:
    """Newest first, each with its last outcome."""
    other = event.alias("other")
    last = (
        select(func.max(other.c.seq))
        .where(other.c.call == _began.c.call, other.c.kind.in_(_ENDS), other.c.seq > _began.c.seq)
        .scalar_subquery()
    )
    judged = (
        select(other.c.seq)
        .where(other.c.call == _began.c.call, other.c.kind == "call.intent")
        .exists()
    )
    effect = func.coalesce(_ended.c.effect, _began.c.effect).label("effect")
    reason = func.coalesce(_ended.c.reason, _began.c.reason).label("reason")
    columns = (_began.c.seq, _began.c.id, _began.c.call, _began.c.at, _began.c.method,
               _began.c.upstream, _began.c.target, effect, reason,
               func.coalesce(_ended.c.at, 0).label("ended"))  # fmt: skip
    begins = or_(_began.c.kind == "call.intent", and_(_began.c.kind == "call.refused", ~judged))
    query = select(*columns).outerjoin_from(_began, _ended, _ended.c.seq == last).where(begins)
    exact = {_began.c.upstream: wanted.upstream, _began.c.target: wanted.tool,
             effect.element: wanted.effect, reason.element: wanted.reason}  # fmt: skip
    query = query.where(*(column == value for column, value in exact.items() if value))
    if wanted.principal:
        query = query.where(_is_of(wanted.principal, dialect))
    return query.order_by(_began.c.seq.desc())


def _likely(wanted: CallsWanted, floor: int, end: int) -> Select[tuple[str]]:
    """Calls of which some row says what is wanted: few, as a rule, and found in one go."""
    said = {event.c.effect: wanted.effect, event.c.reason: wanted.reason}
    rows = select(event.c.call).where(event.c.seq >= floor, event.c.seq < end)
    return rows.where(*(column == value for column, value in said.items() if value))


def _is_of(principal: str, dialect: str) -> ColumnElement[bool]:
    """Strings inside the actor are escaped, so none of them can look like this member."""
    member = b'"subject":' + msgspec.json.encode(principal)
    find = func.instr if dialect == "sqlite" else func.pg_catalog.position
    mine = (slot.c.event_id == _began.c.id, slot.c.slot == "actor")
    return select(slot.c.slot).where(*mine, find(slot.c.data, member) > 0).exists()


def _actors(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    query = select(slot.c.event_id, slot.c.data)
    query = query.where(slot.c.event_id.in_(ids), slot.c.slot == "actor")
    return {row.event_id: row.data for row in connection.execute(query)}


def _counted(
    connection: Connection, late: ColumnElement[bool], since: int, step: int
) -> tuple[tuple[tuple[int, str, int], ...], tuple[tuple[str, int], ...]]:
    """The rows are gone through once: judgements in each bucket, and reasons of refusals."""
    bucket = ((event.c.at - since) // step).label("bucket")
    groups = (bucket, event.c.kind, event.c.effect, event.c.reason)
    query = select(*groups, func.count()).where(late, event.c.kind.in_({*_BEGINS, *_ENDS}))
    judged: Counter[tuple[int, str]] = Counter()
    refused: Counter[str] = Counter()
    for number, kind, effect, reason, count in connection.execute(query.group_by(*groups)):
        if kind in _BEGINS:
            judged[int(number), effect] += count
        if effect == "deny":
            refused[reason] += count
    counts = tuple((n, effect, count) for (n, effect), count in sorted(judged.items()))
    often = sorted(refused.items(), key=lambda one: (-one[1], one[0]))
    return counts, tuple(often[:MOST_REASONS])


def _lasted(late: ColumnElement[bool]) -> Select[tuple[int]]:
    done = select(event.c.call, event.c.at).where(late, event.c.kind == "call.outcome")
    latest = done.order_by(event.c.seq.desc()).limit(LATEST).subquery()
    begun = and_(_began.c.call == latest.c.call, _began.c.kind == "call.intent")
    return select((latest.c.at - _began.c.at).label("lasted")).join_from(latest, _began, begun)


def _listed(row: Row[Any], actor: bytes) -> ListedCall:
    return ListedCall(row.seq, row.call, row.at, row.method, row.upstream, row.target, row.effect,
                      row.reason, row.ended, actor)  # fmt: skip
