import pytest

from lockgate.app.login.fetching import MOST_BYTES, fetch
from lockgate.model.fetch import FetchFailed
from support.authorization_server import scripted
from support.upstream_endpoint import Out


async def test_any_status_is_an_answer_and_a_redirect_is_not_followed() -> None:
    async def away(out: Out) -> None:
        await out.begin("text/plain", 302, [("location", "/elsewhere"), ("x-a", "1")])
        await out.end(b"gone")

    async with scripted() as server:
        server.documents["/a"] = away
        got = await fetch("GET", f"{server.base}/a")
        assert (got.status, got.body, got.headers["location"]) == (302, b"gone", "/elsewhere")
        assert got.headers["x-a"] == "1"
        assert (await fetch("GET", f"{server.base}/none")).status == 404
        assert server.asked == ["/a", "/none"]


async def test_a_form_is_sent() -> None:
    async with scripted() as server:
        got = await fetch("POST", f"{server.base}/token", {"accept": "a/b"}, b"a=b")
        assert got.status == 200
        assert server.forms == [("/token", {"a": "b"})]


async def test_too_much_nobody_and_the_open_network_fail() -> None:
    async def flood(out: Out) -> None:
        await out.begin("text/plain")
        await out.end(b"x" * (MOST_BYTES + 1))

    async with scripted() as server:
        server.documents["/a"] = flood
        with pytest.raises(FetchFailed, match="more than 1 MiB"):
            await fetch("GET", f"{server.base}/a")
        gone = f"{server.base}/secret-of-alice"
    with pytest.raises(FetchFailed, match="cannot be reached") as failed:
        await fetch("GET", gone)
    assert "alice" not in str(failed.value)
    with pytest.raises(FetchFailed, match="not https"):
        await fetch("GET", "http://id.example/token")
