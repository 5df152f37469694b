"""Questions to other people, and what became of them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from lockgate.model import StoreDown
from lockgate.model.inquiry import (
    LEASE_MS,
    LIVE,
    Asked,
    Asker,
    Delegation,
    Inquiry,
    InquiryState,
    Kept,
    Vote,
)
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import bump, version_of
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.tables import delegation, inquiry, vote

ANSWERED: tuple[InquiryState, ...] = ("used", "succeeded")
OLDEST_MS = 3 * 24 * 60 * 60_000
"""No question waits, may be used and is kept for longer than that in all."""
FORGOTTEN = 500
"""At most, at a time."""
TOPIC, DELEGATIONS = "inquiry", "delegation"
_PAYLOAD, _RESULT = "inquiry-payload", "inquiry-result"

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""

_encode = msgspec.json.encode
_inquiry = msgspec.json.Decoder(Inquiry).decode
_vote = msgspec.json.Decoder(Vote).decode
_delegation = msgspec.json.Decoder(Delegation).decode
_kept = msgspec.msgpack.Decoder(Kept).decode


class StoredInquiries:
    """Satisfies ``approval.ports.InquiryStore``. Each method is one transaction."""

    def __init__(self, engine: Engine, key: bytes, clock: Clock) -> None:
        """``key``: what payloads and results are sealed with; see ``sealing.key_for``."""
        self._engine = engine
        self._sealer = AesGcmSealer(key)
        self._clock = clock

    def add(self, one: Inquiry, payload: bytes) -> Inquiry:
        sealed = self._sealer.seal(f"{_PAYLOAD} {one.id}", payload)
        with store_errors("cannot record the question"), writing(self._engine) as connection:
            found = _same(connection, one, self._clock())
            if found is not None:
                return found
            connection.execute(insert(inquiry).values(**_columns(one), id=one.id, payload=sealed))
            bump(connection, TOPIC)
        return one

    def replace(self, changed: Inquiry, vote: Vote | None = None) -> bool:
        with store_errors("cannot change the question"), writing(self._engine) as connection:
            if not _replace(connection, changed):
                return False
            if vote is not None:
                _append(connection, vote)
            bump(connection, TOPIC)
        return True

    def claim(self, ids: Sequence[str], node: str, now: int) -> bool:
        with store_errors("cannot use the approval"):
            try:
                with writing(self._engine) as connection:
                    for id in sorted(set(ids)):
                        _claim(connection, id, node, now)
                    bump(connection, TOPIC)
            except _NotThere:
                return False
        return True

    def get(self, id: str) -> Asked | None:
        with store_errors("cannot read the question"), reading(self._engine) as connection:
            body = connection.scalar(select(inquiry.c.body).where(inquiry.c.id == id))
            return None if body is None else _with_votes(connection, [_inquiry(body)])[0]

    def listed(
        self, states: Sequence[InquiryState] = (), most: int = 1_000, holder: str = ""
    ) -> tuple[Asked, ...]:
        with store_errors("cannot read the questions"), reading(self._engine) as connection:
            return _listed(connection, states, most, holder)

    def earlier(self, one: Inquiry, by: Asker, most: int) -> tuple[Asked, ...]:
        mine = inquiry.c.holder == one.holder if by == "holder" else inquiry.c.agent == one.agent
        same = (inquiry.c.title == one.title) & mine & (inquiry.c.id != one.id)
        query = select(inquiry.c.body).where(same, inquiry.c.created <= one.created)
        query = query.order_by(inquiry.c.created.desc(), inquiry.c.id.desc()).limit(most)
        with store_errors("cannot read the questions"), reading(self._engine) as connection:
            return _with_votes(connection, list(map(_inquiry, connection.scalars(query))))

    def yeses(self, voter: str, since: int) -> int:
        mine = (vote.c.voter == voter) & (vote.c.at > since) & (vote.c.answer == "yes")
        query = select(func.count()).select_from(vote).where(mine)
        with store_errors("cannot count answers"), reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def payload(self, id: str) -> bytes | None:
        return self._open(id, inquiry.c.payload, _PAYLOAD)

    def keep(self, id: str, result: Kept) -> None:
        sealed = self._sealer.seal(f"{_RESULT} {id}", msgspec.msgpack.encode(result))
        query = update(inquiry).where(inquiry.c.id == id).values(result=sealed)
        with store_errors("cannot keep the result"), writing(self._engine) as connection:
            connection.execute(query)
            bump(connection, TOPIC)

    def kept(self, id: str) -> Kept | None:
        raw = self._open(id, inquiry.c.result, _RESULT)
        return None if raw is None else _kept(raw)

    def forget(self, now: int) -> int:
        old = (inquiry.c.kept_until <= now) & (
            inquiry.c.payload.is_not(None) | inquiry.c.result.is_not(None)
        )
        gone = {"payload": None, "result": None}
        with store_errors("cannot forget results"), writing(self._engine) as connection:
            found = connection.scalars(select(inquiry.c.body).where(old).limit(FORGOTTEN)).all()
            for one in map(_inquiry, found):
                body = _encode(one.without_values())
                mine = update(inquiry).where(inquiry.c.id == one.id)
                connection.execute(mine.values(**gone, body=body))
            return len(found)

    def delegate(self, one: Delegation) -> None:
        with store_errors("cannot record the delegation"), writing(self._engine) as connection:
            connection.execute(delete(delegation).where(delegation.c.id == one.id))
            connection.execute(insert(delegation).values(id=one.id, body=_encode(one)))
            bump(connection, DELEGATIONS)

    def delegations(self) -> tuple[Delegation, ...]:
        query = select(delegation.c.body).order_by(delegation.c.id)
        with store_errors("cannot read the delegations"), reading(self._engine) as connection:
            return tuple(map(_delegation, connection.scalars(query)))

    def changed_delegations(self, since: int) -> tuple[int, tuple[Delegation, ...]] | None:
        """For ``feed.Snapshot``."""
        with store_errors("cannot read the delegations"), reading(self._engine) as connection:
            version = version_of(connection, DELEGATIONS)
            if version == since:
                return None
            return version, tuple(map(_delegation, connection.scalars(select(delegation.c.body))))

    def changed(self, since: int) -> tuple[int, tuple[Asked, ...]] | None:
        """For ``feed.Snapshot``: what is live."""
        with store_errors("cannot read the questions"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            if version == since:
                return None
            return version, _listed(connection, sorted(LIVE), 10_000)

    def answered(self, now: int) -> tuple[Inquiry, ...]:
        """Those about single calls that run, or ran and whose result is kept, newest first."""
        mine = inquiry.c.state.in_(ANSWERED) & (inquiry.c.created > now - OLDEST_MS)
        query = select(inquiry.c.body).where(mine, inquiry.c.kept_until > now)
        query = query.order_by(inquiry.c.created.desc()).limit(10_000)
        with store_errors("cannot read the questions"), reading(self._engine) as connection:
            found = tuple(map(_inquiry, connection.scalars(query)))
        return tuple(one for one in found if one.kind == "call")

    def _open(self, id: str, column: Any, purpose: str) -> bytes | None:
        query = select(column).where(inquiry.c.id == id, inquiry.c.kept_until > self._clock())
        with store_errors("cannot read what was kept"), reading(self._engine) as connection:
            sealed = connection.scalar(query)
        if sealed is None:
            return None
        found = self._sealer.open(f"{purpose} {id}", sealed)
        if found is None:
            raise StoreDown("what was kept cannot be opened: the deployment's key is another one")
        return found


class _NotThere(Exception):
    """Used, expired, or never approved: rolls the transaction back."""


def claimed(one: Inquiry, node: str, now: int) -> Inquiry | None:
    """With one use less; None where it has none."""
    if one.at(now).state != "approved" or one.uses < 1:
        return None
    last = one.uses == 1
    return replace(one, uses=one.uses - 1, state="used" if last else one.state, used=now,
                   node=node, lease=now + LEASE_MS, version=one.version + 1)  # fmt: skip


def _claim(connection: Connection, id: str, node: str, now: int) -> None:
    body = connection.scalar(select(inquiry.c.body).where(inquiry.c.id == id))
    used = None if body is None else claimed(_inquiry(body), node, now)
    if used is None or not _replace(connection, used):
        raise _NotThere


def _replace(connection: Connection, changed: Inquiry) -> bool:
    before = (inquiry.c.id == changed.id) & (inquiry.c.version == changed.version - 1)
    done = connection.execute(update(inquiry).where(before).values(**_columns(changed)))
    return done.rowcount == 1


def _append(connection: Connection, given: Vote) -> None:
    mine = select(vote.c.number).where(vote.c.inquiry == given.inquiry)
    number = len(connection.scalars(mine).all())
    connection.execute(
        insert(vote).values(
            inquiry=given.inquiry,
            number=number,
            body=_encode(given),
            voter=given.voter,
            answer=given.answer,
            at=given.at,
        )
    )


def _same(connection: Connection, one: Inquiry, now: int) -> Inquiry | None:
    mine = (inquiry.c.holder == one.holder) & (inquiry.c.digest == one.digest)
    query = select(inquiry.c.body).where(mine)
    query = query.order_by(inquiry.c.created.desc(), inquiry.c.id.desc())
    found = map(_inquiry, connection.scalars(query.limit(20)))
    return next((other for other in found if other.stands(now)), None)


def _listed(
    connection: Connection, states: Sequence[InquiryState], most: int, holder: str = ""
) -> tuple[Asked, ...]:
    query = select(inquiry.c.body).order_by(inquiry.c.created.desc(), inquiry.c.id.desc())
    if states:
        query = query.where(inquiry.c.state.in_(states))
    if holder:
        query = query.where(inquiry.c.holder == holder)
    return _with_votes(connection, list(map(_inquiry, connection.scalars(query.limit(most)))))


def _with_votes(connection: Connection, found: Sequence[Inquiry]) -> tuple[Asked, ...]:
    wanted = vote.c.inquiry.in_([one.id for one in found])
    votes: dict[str, tuple[Vote, ...]] = {}
    for body in connection.scalars(select(vote.c.body).where(wanted).order_by(vote.c.number)):
        given = _vote(body)
        votes[given.inquiry] = (*votes.get(given.inquiry, ()), given)
    return tuple(Asked(one, votes.get(one.id, ())) for one in found)


def _columns(one: Inquiry) -> dict[str, Any]:
    return {
        "holder": one.holder, "digest": one.digest, "state": one.state, "created": one.created,
        "kept_until": one.kept_until, "version": one.version, "body": _encode(one),
        "title": one.title, "agent": one.agent,
    }  # fmt: skip
