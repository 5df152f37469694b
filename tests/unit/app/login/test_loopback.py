import socket

import pytest

from lockgate.app.login.loopback import DEFAULT, listening_for
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import visit

STATE = "s" * 43


async def test_the_one_answer_with_our_state_is_taken() -> None:
    async with listening_for(DEFAULT, STATE) as callback:
        base = callback.redirect_uri
        assert base.startswith("http://127.0.0.1:")
        assert base.endswith("/callback")
        for wrong in ("?code=evil&state=x", "?code=evil", f"?code=a&code=b&state={STATE}",
                      f"/more?code=evil&state={STATE}"):  # fmt: skip
            status, text = await visit(base + wrong)
            assert status == 400
            assert "evil" not in text
        status, text = await visit(f"{base}?code=c1&state={STATE}&iss=https://id.example")
        assert status == 200
        assert "close this window" in text
        assert (await visit(f"{base}?code=c2&state={STATE}"))[0] == 400, "once"
        assert await callback.answer(5) == {
            "code": "c1", "state": STATE, "iss": "https://id.example",
        }  # fmt: skip


async def test_nobody_comes() -> None:
    async with listening_for(DEFAULT, STATE) as callback:
        with pytest.raises(TimeoutError):
            await callback.answer(0.01)


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
async def test_other_names_of_this_machine(host: str) -> None:
    try:
        async with listening_for(f"http://{host}/x/y", STATE) as callback:
            assert callback.redirect_uri.startswith(f"http://{host}:")
    except Refused as refused:  # a machine without IPv6
        assert "::1" in str(refused)  # noqa: PT017


@pytest.mark.parametrize(
    "redirect",
    ["https://127.0.0.1/callback", "http://gate.example/callback", "http://0.0.0.0/", "nonsense",
     "http://127.0.0.1/?a=b", "myapp://callback"],
)  # fmt: skip
async def test_only_this_machine_can_be_come_back_to(redirect: str) -> None:
    with pytest.raises(Refused, match="redirect address"):
        async with listening_for(redirect, STATE):
            pass


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match="Nobody can listen"):
            async with listening_for(f"http://127.0.0.1:{port}/callback", STATE):
                pass
