import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.bearer import NotSignedIn
from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import Grant
from lockgate.app.login.lock import locked
from lockgate.app.login.renewal import AGAIN, SETTLED, LoginBearer
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetched, FetchFailed
from support.authorization_server import Scripted, scripted


class Desk:
    """A login that is good from 0 to 100 s, kept in a file, and a clock that tests turn."""

    def __init__(self, server: Scripted, folder: Path) -> None:
        self.server = server
        self.now = 0.0
        self.store = InsecureFile(folder / "login.json")
        self.keep()
        self.given = 1
        server.posts["/token"] = self._give

    def _give(self, form: dict[str, str]) -> tuple[int, Any]:
        """As a server that rotates: each refresh token once."""
        if form["refresh_token"] != f"rt-{self.given}":
            return 400, {"error": "invalid_grant"}
        self.given += 1
        return 200, {"access_token": f"at-{self.given}", "refresh_token": f"rt-{self.given}",
                     "token_type": "Bearer", "expires_in": 100}  # fmt: skip

    def keep(self, **members: Any) -> Grant:
        grant = self.server.grant(**members)
        self.store.put(grant)
        return grant

    def bearer(self, fetching: Any = fetch) -> LoginBearer:
        return LoginBearer(self.store, f"{self.server.base}/mcp", fetching, lambda: self.now)

    @property
    def asked(self) -> int:
        return len(self.server.forms)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with scripted() as server:
        yield Desk(server, tmp_path)


async def test_a_good_token_is_shown_as_it_is(desk: Desk) -> None:
    bearer = desk.bearer()
    assert await bearer.current() == "at-1"
    desk.now = 74.0
    assert await bearer.current() == "at-1"
    assert desk.asked == 0


async def test_it_is_renewed_before_it_ends_and_kept_before_it_is_used(desk: Desk) -> None:
    bearer = desk.bearer()
    desk.now = 75.0  # a quarter of its life is left
    assert await bearer.current() == "at-2"
    kept = desk.store.get(f"{desk.server.base}/mcp")
    assert kept is not None
    assert (kept.access_token, kept.refresh_token, kept.expires) == ("at-2", "rt-2", 175.0)
    assert desk.asked == 1


async def test_a_long_life_is_renewed_a_minute_before_its_end(desk: Desk) -> None:
    desk.keep(expires=10_000.0)
    bearer = desk.bearer()
    desk.now = 9_939.0
    assert await bearer.current() == "at-1"
    desk.now = 9_940.0
    assert await bearer.current() == "at-2"


async def test_many_at_once_in_many_processes_renew_once(desk: Desk) -> None:
    desk.now = 80.0
    bearers = [desk.bearer() for _ in range(8)]
    found = await asyncio.gather(*(b.current() for b in bearers for _ in range(5)))
    assert set(found) == {"at-2"}
    assert desk.asked == 1


async def test_what_another_process_has_renewed_is_taken(desk: Desk) -> None:
    one, two = desk.bearer(), desk.bearer()
    assert await two.current() == "at-1"
    desk.now = 80.0
    assert await one.current() == "at-2"
    assert await two.current() == "at-2"
    assert desk.asked == 1


async def test_a_401_renews_once_even_before_the_end(desk: Desk) -> None:
    one, two = desk.bearer(), desk.bearer()
    assert await one.current() == "at-1"
    desk.now = SETTLED
    assert await one.instead_of("at-1") == "at-2"
    assert await two.instead_of("at-1") == "at-2"
    assert desk.asked == 1


async def test_a_gateway_that_refuses_what_is_new_does_not_make_token_requests(desk: Desk) -> None:
    bearer = desk.bearer()
    desk.now = SETTLED
    assert await bearer.instead_of("at-1") == "at-2"
    for _ in range(5):
        assert await bearer.instead_of("at-2") == ""
    assert desk.asked == 1


async def test_a_login_that_the_server_has_ended_is_forgotten(desk: Desk) -> None:
    desk.keep(refresh_token="rt-0")
    desk.now = 80.0
    one, two = desk.bearer(), desk.bearer()
    with pytest.raises(NotSignedIn, match="invalid_grant"):
        await one.current()
    assert desk.store.get(f"{desk.server.base}/mcp") is None
    with pytest.raises(NotSignedIn, match="not signed in"):
        await two.current()
    assert desk.asked == 1
    desk.keep(expires=500.0)  # the person logs in again
    assert await one.current() == "at-1"


async def test_a_server_in_trouble_leaves_a_good_token_good(desk: Desk) -> None:
    tries = 0

    async def down(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        nonlocal tries
        tries += 1
        raise FetchFailed("id.example cannot be reached")

    bearer = desk.bearer(down)
    desk.now = 80.0
    for _ in range(3):
        assert await bearer.current() == "at-1"
    assert tries == 1
    desk.now = 80.0 + AGAIN
    assert await bearer.current() == "at-1"
    assert tries == 2
    assert await bearer.instead_of("at-1") == ""
    desk.now = 100.0
    with pytest.raises(NotSignedIn, match="cannot be reached"):
        await bearer.current()
    assert desk.store.get(f"{desk.server.base}/mcp") is not None


async def test_without_a_refresh_token_it_lasts_until_its_end(desk: Desk) -> None:
    desk.keep(refresh_token="")
    bearer = desk.bearer()
    desk.now = 99.0
    assert await bearer.current() == "at-1"
    assert await bearer.instead_of("at-1") == ""
    desk.now = 100.0
    with pytest.raises(NotSignedIn, match="has ended"):
        await bearer.current()


async def test_an_end_that_is_not_known_is_learned_from_a_401(desk: Desk) -> None:
    desk.keep(expires=0.0)
    bearer = desk.bearer()
    desk.now = 1e9
    assert await bearer.current() == "at-1"
    assert await bearer.instead_of("at-1") == "at-2"


async def test_a_logout_is_noticed(desk: Desk) -> None:
    bearer = desk.bearer()
    assert await bearer.current() == "at-1"
    desk.store.forget(f"{desk.server.base}/mcp")
    desk.now = SETTLED
    with pytest.raises(NotSignedIn, match="not signed in"):
        await bearer.instead_of("at-1")
    with pytest.raises(NotSignedIn, match="not signed in"):
        await bearer.current()


async def test_a_renewal_goes_on_when_nobody_waits_for_it(desk: Desk) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        begun.set()
        await go.wait()
        return await fetch(verb, url, headers, body)

    bearer = desk.bearer(slow)
    desk.now = 80.0
    asking = asyncio.create_task(bearer.current())
    await asyncio.wait_for(begun.wait(), 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go.set()
    await asyncio.wait_for(bearer.settle(), 10)
    kept = desk.store.get(f"{desk.server.base}/mcp")
    assert kept is not None
    assert kept.refresh_token == "rt-2"


async def test_a_place_that_cannot_be_used_is_said(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "login.json").chmod(0o644)
    with pytest.raises(NotSignedIn, match="can be read by others"):
        await desk.bearer().current()


async def test_what_cannot_be_kept_is_not_used(desk: Desk) -> None:
    class Full(InsecureFile):
        def put(self, grant: Grant) -> None:
            raise Refused("The disk is full.")

    desk.store = Full(desk.store.lock.with_suffix(""))
    desk.now = 80.0
    with pytest.raises(NotSignedIn, match="disk is full"):
        await desk.bearer().current()


async def test_a_lock_that_cannot_be_made_is_said(desk: Desk) -> None:
    desk.store.lock.unlink(missing_ok=True)
    desk.store.lock.mkdir()
    desk.now = 80.0
    with pytest.raises(NotSignedIn, match="cannot be renewed"):
        await desk.bearer().current()
    desk.store.lock.rmdir()
    async with locked(desk.store.lock):
        pass
    await desk.bearer().settle()
