from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.app.login.device_flow import GRANT, by_device
from lockgate.app.login.grant import Grant, GrantRefused
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import FetchFailed
from support.authorization_server import TOKENS, Scripted, means, scripted

DEVICE = {"device_code": "dc", "user_code": "AB-CD", "expires_in": 60,
          "verification_uri": "https://id.example/device"}  # fmt: skip


class Waiting:
    """A person with another device, and a clock that only waiting turns."""

    def __init__(self, server: Scripted, *answers: tuple[int, Any], **device: Any) -> None:
        self.server, self.now = server, 0.0
        self.pauses: list[float] = []
        self.told: list[tuple[str, str]] = []
        self._answers: Iterator[tuple[int, Any]] = iter(answers)
        server.posts["/device"] = lambda _: (200, {**DEVICE, **device})
        server.posts["/token"] = lambda _: next(self._answers)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def sign_in(self) -> Grant:
        def tell(address: str, code: str) -> None:
            self.told.append((address, code))

        found = means(now=lambda: self.now)
        return await by_device(self.server.wanted(), found, tell, self.pause)


def said(error: str) -> tuple[int, Any]:
    return 400, {"error": error}


async def test_it_is_asked_at_the_server_s_pace_until_the_person_is_done() -> None:
    async with scripted() as server:
        pending = said("authorization_pending")
        waiting = Waiting(server, pending, said("slow_down"), pending, (200, TOKENS), interval=2)
        grant = await waiting.sign_in()
        first, *rest = server.forms
    assert waiting.told == [("https://id.example/device", "AB-CD")]
    assert waiting.pauses == [2, 2, 7, 7]
    assert first == (
        "/device",
        {"client_id": "cli", "scope": "s", "resource": f"{server.base}/mcp"},
    )
    form = {"grant_type": GRANT, "device_code": "dc", "client_id": "cli",
            "resource": f"{server.base}/mcp"}  # fmt: skip
    assert rest == [("/token", form)] * 4
    assert (grant.access_token, grant.obtained) == ("at-1", 18.0)


@pytest.mark.parametrize("error", ["access_denied", "expired_token"])
async def test_a_refusal_ends_it(error: str) -> None:
    async with scripted() as server:
        with pytest.raises(GrantRefused, match=error):
            await Waiting(server, said(error)).sign_in()


async def test_nobody_comes() -> None:
    async with scripted() as server:
        waiting = Waiting(server, *[said("authorization_pending")] * 20)
        with pytest.raises(Refused, match="Nobody signed in"):
            await waiting.sign_in()
    assert waiting.pauses == [5.0] * 12


async def test_some_trouble_on_the_way_is_borne() -> None:
    async with scripted() as server:
        assert await Waiting(server, (503, {}), (200, TOKENS)).sign_in()
        with pytest.raises(FetchFailed):
            await Waiting(server, *[(503, {})] * 5, expires_in=1000).sign_in()


async def test_what_cannot_be_begun_is_refused() -> None:
    async with scripted() as server:
        for bad in ({"device_code": None}, {"expires_in": "x"}):
            with pytest.raises(FetchFailed):
                await Waiting(server, **bad).sign_in()
        with pytest.raises(Refused, match="address that"):
            await Waiting(server, verification_uri="javascript:alert(1)").sign_in()
        wanted = server.wanted(device_authorization_endpoint="")
        with pytest.raises(Refused, match="no sign-in by device code"):
            await by_device(wanted, means(), lambda a, b: None, Waiting(server).pause)
