"""What others may try while a person signs in, and afterwards."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pyreqwest.http import Url

from lockgate.app.login.code_flow import by_code
from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import Grant, Wanted
from lockgate.app.login.signing import Order, sign_in
from lockgate.app.login.store import InsecureFile
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import Scripted, means, query_of, scripted, visit
from support.upstream_endpoint import Out

KNOWN = "/.well-known/oauth-protected-resource/mcp"


def published(server: Scripted, **members: Any) -> None:
    server.describe(authorization_response_iss_parameter_supported=True)
    server.documents[KNOWN] = {"resource": f"{server.base}/mcp",
                               "authorization_servers": [server.base], **members}  # fmt: skip


async def test_mix_up(tmp_path: Path) -> None:
    """A server that the person did not choose answers in the name of the one they did, so that our
    code goes to it: RFC 9207. PKCE and ``resource`` do not help against it."""
    store = InsecureFile(tmp_path / "login.json")
    async with scripted() as honest, scripted() as evil:
        published(honest)
        visits = []

        def show(address: str) -> None:
            asked = query_of(address)
            said = {"code": "stolen", "state": asked["state"], "iss": evil.base}
            visits.append(asyncio.create_task(visit(f"{asked['redirect_uri']}?{urlencode(said)}")))

        async def flow(wanted: Wanted) -> Grant:
            return await by_code(wanted, means(show))

        with pytest.raises(Refused, match="did not come from"):
            await sign_in(Order(Url(f"{honest.base}/mcp"), "cli"), flow, store, fetch)
        await asyncio.gather(*visits)
        assert not honest.forms
        assert not evil.forms
    assert store.get(f"{honest.base}/mcp") is None


async def nobody_signs_in(wanted: Wanted) -> Grant:
    raise AssertionError("nobody was to be sent there")


async def refused(server: Scripted, folder: Path, why: str) -> None:
    order = Order(Url(f"{server.base}/mcp"), "cli")
    with pytest.raises(Refused, match=why):
        await sign_in(order, nobody_signs_in, InsecureFile(folder / "login.json"), fetch)


async def test_a_gateway_that_names_another_resource(tmp_path: Path) -> None:
    """To get a token for a bank from a person who signs in for a tool server."""
    async with scripted() as server:
        published(server, resource="https://bank.example/mcp")
        await refused(server, tmp_path, "says that it is https://bank.example/mcp")


async def test_metadata_in_the_name_of_another_issuer(tmp_path: Path) -> None:
    async with scripted() as server, scripted() as other:
        published(server, authorization_servers=[other.base])
        other.describe(issuer=server.base)
        await refused(server, tmp_path, "is not of")


async def test_a_token_endpoint_in_the_clear(tmp_path: Path) -> None:
    async with scripted() as server:
        published(server)
        server.describe(token_endpoint="http://id.example/token")
        await refused(server, tmp_path, "not https")


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "file:///etc/passwd", "http://id.example/", "-x", "vbscript:a"],
)
async def test_an_authorization_endpoint_that_is_no_web_page(tmp_path: Path, address: str) -> None:
    """It would be given to a browser, or to what the system opens such addresses with."""
    async with scripted() as server:
        published(server)
        server.describe(authorization_endpoint=address)
        await refused(server, tmp_path, "authorization_endpoint")


async def test_metadata_that_redirect(tmp_path: Path) -> None:
    """From an address that was checked to one that was not."""

    async def away(out: Out) -> None:
        await out.begin("text/plain", 302, [("location", f"{inner.base}/secret")])
        await out.end()

    async with scripted() as server, scripted() as inner:
        server.documents[KNOWN] = away
        await refused(server, tmp_path, "answered 302")
        published(server)
        server.documents["/.well-known/oauth-authorization-server"] = away
        await refused(server, tmp_path, "answered 302")
        assert not inner.asked


async def test_a_page_that_posts_codes_to_every_port(tmp_path: Path) -> None:
    """To sign the person in as somebody else: no state, no effect, and the person's own answer
    still counts."""
    async with scripted() as server:
        done: list[asyncio.Task[None]] = []

        async def attacked(asked: dict[str, str]) -> None:
            back = asked["redirect_uri"]
            for said in ({"code": "evil"}, {"code": "evil", "state": "guess"},
                         {"error": "access_denied", "state": ""}):  # fmt: skip
                assert (await visit(f"{back}?{urlencode(said)}"))[0] == 400
            said = {"code": "mine", "state": asked["state"]}
            assert (await visit(f"{back}?{urlencode(said)}"))[0] == 200

        def show(address: str) -> None:
            done.append(asyncio.create_task(attacked(query_of(address))))

        assert await by_code(server.wanted(), means(show))
        await asyncio.gather(*done)
        assert [form["code"] for _, form in server.forms] == ["mine"]
