"""A link that another worker of this host holds.

What cannot be in two places (a program's standard streams, a legacy session) is held by the one
worker that owns it. The others open a ``RelayLink``: each request goes to the owner, is heard and
asked through it, and is never sent twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import msgspec

from lockgate.model import PeerGone, SendFailed, Terms
from lockgate.upstream.catalogue import Registry
from lockgate.upstream.credentials import Credentials
from lockgate.upstream.link import Hears, Link
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.pool import Connect, Pool
from lockgate.upstream.relay_link import (
    ASK,
    OPEN,
    REQUEST,
    Courier,
    FarHears,
    Outcome,
    RelayLink,
    Where,
    encode,
    outcome_of,
    read_peer,
    read_question,
    read_where,
    read_wish,
)
from lockgate.upstream.target import HttpTarget, Registered

RETRY_SECONDS = 0.2
"""Between attempts to reach an owner that is being started again."""
PATIENCE_SECONDS = 10.0
"""With an owner that cannot be reached, where an upstream may take as long to connect."""


class Relay:
    """Decides who holds a link, opens those held elsewhere, and lends this worker's to the others.

    ``local`` opens a link here. ``renew`` takes a newer registration into use, if there is one.
    """

    def __init__(
        self,
        courier: Courier,
        registry: Registry,
        local: Connect,
        credentials: Credentials | None = None,
    ) -> None:
        self._credentials = credentials
        self.courier = courier
        self.renew: Callable[[], Awaitable[None]] = _nothing
        self.watch: Callable[[asyncio.Task[Any]], None] = _unwatched
        """Told of each request that runs here for another worker, so that the end waits for it."""
        self._registry = registry
        self._local = local
        self._memory = EraMemory()
        self._pool: Pool | None = None
        self._numbers = count(1)
        self._hearing: dict[int, Hears] = {}

    @staticmethod
    def key(upstream: str, terms: Terms) -> bytes:
        """What decides who holds a link."""
        return encode((upstream, terms))

    def lend(self, pool: Pool) -> None:
        """From now on others may use the links that this worker owns."""
        self._pool = pool
        self.courier.serve(OPEN, self._open)
        self.courier.serve(REQUEST, self._request)
        self.courier.serve(ASK, self._ask)

    async def connect(self, registered: Registered, terms: Terms) -> Link:
        """A link held on ``terms``, by whoever owns it. Raises ``SendFailed``."""
        owner = self.courier.owner(self.key(registered.name, terms))
        if owner == self.courier.node:
            return await self._local(registered, terms)
        http = isinstance(registered.target, HttpTarget)
        if http and self._memory.recall(registered) != "legacy":
            link = await self._local(registered, terms)
            if link.peer.era == "modern":  # nothing of it is kept between two requests
                return link
            await link.close()
        link = await self._far(owner, registered, terms)
        self._memory.learn(registered, link.peer.era)
        return link

    async def _far(self, owner: str, registered: Registered, terms: Terms) -> "RelayLink":
        where = Where(registered.name, registered.upstream.fingerprint, terms)
        where = await self.lent(where)
        patience = min(PATIENCE_SECONDS, registered.bounds.connect_seconds)
        ends = asyncio.get_running_loop().time() + patience
        while True:
            try:
                said = await self.courier.ask(owner, OPEN, encode(where))
                return RelayLink(self, owner, where, read_peer(outcome_of(said).said))
            except SendFailed as failure:
                if failure.reason == "upstream.unavailable":
                    await self.renew()  # perhaps it is this worker that is behind
                raise
            except PeerGone as gone:
                # Nothing of a request was sent yet, so that trying again doubles nothing.
                if asyncio.get_running_loop().time() >= ends:
                    raise SendFailed("upstream.unreachable", f"its worker: {gone}") from None
                await asyncio.sleep(RETRY_SECONDS)

    # What another worker holds, used here.

    async def lent(self, where: Where, refused: str = "") -> Where:
        """See ``Home.lent``."""
        registered = self._registry.get(where.upstream)
        if self._credentials is None or registered is None:
            return where
        token = await self._credentials.lend(registered, where.terms.holder, refused)
        if token is None:
            return where
        return msgspec.structs.replace(where, access=token.access, expires=token.expires)

    def hear(self, hears: Hears | None) -> int:
        """A number for one request, under which it may be asked something until ``forget``."""
        number = next(self._numbers)
        if hears is not None:
            self._hearing[number] = hears
        return number

    def forget(self, number: int) -> None:
        self._hearing.pop(number, None)

    async def _ask(self, body: bytes, _: Callable[[bytes], None]) -> bytes:
        question = read_question(body)
        hears = self._hearing.get(question.number)
        if hears is None:
            return encode(Outcome(reason="ask.nobody", detail="the request has ended"))
        reply = await hears.ask(question.method, question.params, question.era)
        return encode(Outcome(reply.raw, reply.is_error))

    # What this worker holds, used by others.

    async def _open(self, body: bytes, _: Callable[[bytes], None]) -> bytes:
        where = read_where(body)

        async def opened(link: Link) -> Outcome:
            return Outcome(encode(link.peer))

        return encode(await self._with_link(where, opened))

    async def _request(self, body: bytes, heard: Callable[[bytes], None]) -> bytes:
        wish, task = read_wish(body), asyncio.current_task()
        if task is not None:
            self.watch(task)

        async def asked(link: Link) -> Outcome:
            reply = await link.request(
                wish.method,
                wish.params,
                hears=FarHears(self.courier, wish, heard) if wish.hears else None,
                envelope=wish.envelope,
            )
            return Outcome(reply.raw, reply.is_error)

        return encode(await self._with_link(wish.where, asked))

    async def _with_link(self, where: Where, use: Callable[[Link], Awaitable[Outcome]]) -> Outcome:
        link: Link | None = None
        try:
            registered = await self._registered(where)
            if where.access and self._credentials is not None:
                lent = Token(where.access, where.expires)
                self._credentials.borrow(registered, where.terms.holder, lent)
            assert self._pool is not None  # noqa: S101 - or nobody could have asked
            async with self._pool.lease(registered, where.terms) as link:
                return await use(link)
        except SendFailed as failure:
            broken = link is None or link.broken
            return Outcome(
                reason=failure.reason, detail=failure.detail, told=failure.told, broken=broken
            )

    async def _registered(self, where: Where) -> Registered:
        """Raises ``SendFailed`` where this worker knows another upstream under that name."""
        for renewed in (False, True):
            found = self._registry.get(where.upstream)
            if found is not None and found.upstream.fingerprint == where.fingerprint:
                return found
            if not renewed:
                await self.renew()
        raise SendFailed("upstream.unavailable", where.upstream)


def _unwatched(_: "asyncio.Task[Any]") -> None:
    """Nobody waits for it."""


async def _nothing() -> None:
    """There is no newer registration."""
