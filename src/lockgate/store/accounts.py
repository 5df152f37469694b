"""Connected accounts: sealed, and only for the principal whose they are."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from sqlalchemy import Engine, Row, and_, delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from lockgate.model import Account, StoreDown
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.sealing import AesGcmSealer, key_for
from lockgate.store.tables import account, used_once

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""


def account_key(sealing_key: bytes) -> bytes:
    """What accounts are sealed with."""
    return key_for("lockgate/accounts/v1", sealing_key)


class StoredAccounts:
    """Satisfies ``upstream.accounts.Accounts``. Each method is one transaction, in a thread, and
    raises ``StoreDown``."""

    def __init__(self, engine: Engine, key: bytes, clock: Clock) -> None:
        """``key``: see ``account_key``."""
        self._engine = engine
        self._sealer = AesGcmSealer(key)
        self._clock = clock

    async def get(self, principal: str, upstream: str) -> Account | None:
        return await asyncio.to_thread(self._get, principal, upstream)

    async def put(self, one: Account) -> None:
        """Connect it, instead of whatever was connected before."""
        await asyncio.to_thread(self._put, one)

    async def lease(self, one: Account, until: int) -> bool:
        """Whether the right to renew this very version is ours until then. It ends with the next
        version, or by itself where whoever had it is gone."""
        free = and_(_same(one), account.c.leased <= self._clock())
        return await asyncio.to_thread(self._change, free, {"leased": until})

    async def release(self, one: Account) -> None:
        """Give back a lease that came to nothing."""
        await asyncio.to_thread(self._change, _same(one), {"leased": 0})

    async def renew(self, one: Account) -> bool:
        """Save it, unless it was changed or disconnected since this version was read."""
        return await asyncio.to_thread(self._change, _same(one), self._row(one))

    async def disconnect(self, principal: str, upstream: str = "") -> int:
        """Of one upstream, or of all. How many there were."""
        return await asyncio.to_thread(self.disconnect_now, principal, upstream)

    async def use_once(self, token: str, expires: int) -> bool:
        """Whether nobody has used this before. Remembered until ``expires``."""
        return await asyncio.to_thread(self._use_once, token, expires)

    def list(self) -> Sequence[Account]:
        """All, without their secrets."""
        query = select(account).order_by(account.c.principal, account.c.upstream)
        with store_errors("cannot read the accounts"), reading(self._engine) as connection:
            return [_account(row) for row in connection.execute(query)]

    def disconnect_now(self, principal: str, upstream: str = "") -> int:
        theirs = account.c.principal == principal
        where = and_(theirs, account.c.upstream == upstream) if upstream else theirs
        with store_errors("cannot disconnect"), writing(self._engine) as connection:
            return connection.execute(delete(account).where(where)).rowcount

    def _get(self, principal: str, upstream: str) -> Account | None:
        found = and_(account.c.principal == principal, account.c.upstream == upstream)
        with store_errors("cannot read the account"), reading(self._engine) as connection:
            row = connection.execute(select(account).where(found)).one_or_none()
        if row is None:
            return None
        secret = self._sealer.open(_purpose(principal, upstream), row.sealed)
        if secret is None:
            raise StoreDown("an account cannot be opened: its row or the sealing key was changed")
        return _account(row, secret)

    def _put(self, one: Account) -> None:
        row = self._row(one) | {"principal": one.principal, "upstream": one.upstream}
        # Also after a disconnection no version comes again: an old renewal must not find it.
        row["version"] = self._clock()
        with store_errors("cannot connect the account"), writing(self._engine) as connection:
            put = insert_into(connection, account).values(row)
            changed = row | {"version": account.c.version + 1}
            connection.execute(
                put.on_conflict_do_update(index_elements=["principal", "upstream"], set_=changed)
            )

    def _change(self, where: ColumnElement[bool], values: dict[str, object]) -> bool:
        with store_errors("cannot change the account"), writing(self._engine) as connection:
            return connection.execute(update(account).where(where).values(values)).rowcount == 1

    def _row(self, one: Account) -> dict[str, object]:
        return {
            "issuer": one.issuer,
            "place": one.place,
            "scopes": " ".join(one.scopes),
            "connected": one.connected,
            "expires": one.expires,
            "version": one.version + 1,
            "broken": one.broken,
            "leased": 0,
            "sealed": self._sealer.seal(_purpose(one.principal, one.upstream), one.secret),
        }

    def _use_once(self, token: str, expires: int) -> bool:
        name = hashlib.sha256(token.encode()).hexdigest()
        with store_errors("cannot remember a link"), writing(self._engine) as connection:
            connection.execute(delete(used_once).where(used_once.c.expires <= self._clock()))
            put = insert_into(connection, used_once).values(id=name, expires=expires)
            first = put.on_conflict_do_nothing().returning(used_once.c.id)
            return connection.scalar(first) is not None


def _same(one: Account) -> ColumnElement[bool]:
    return and_(
        account.c.principal == one.principal,
        account.c.upstream == one.upstream,
        account.c.version == one.version,
    )


def _purpose(principal: str, upstream: str) -> str:
    """A row that is moved to another principal or upstream does not open there."""
    return f"account\0{len(principal)}\0{principal}\0{upstream}"


def _account(row: "Row[tuple[object, ...]]", secret: bytes = b"") -> Account:
    return Account(
        principal=row.principal,
        upstream=row.upstream,
        issuer=row.issuer,
        place=row.place,
        scopes=tuple(row.scopes.split()),
        connected=row.connected,
        expires=row.expires,
        version=row.version,
        broken=row.broken,
        secret=secret,
    )
