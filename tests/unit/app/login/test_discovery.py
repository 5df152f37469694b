from typing import Any

import pytest
from pyreqwest.http import Url

from lockgate.app.login.discovery import Resource, issuer_of, resource_of, server_of
from lockgate.app.login.fetching import fetch
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import Scripted, scripted
from support.upstream_endpoint import Out

KNOWN = "/.well-known/oauth-protected-resource"
ISSUER = "https://id.example"


async def found(server: Scripted, path: str = "/mcp") -> Resource:
    return await resource_of(Url(server.base + path), fetch)


async def test_the_gateway_says_what_it_is_and_whom_it_trusts() -> None:
    async with scripted() as server:
        said = {"resource": f"{server.base}/mcp", "authorization_servers": [ISSUER],
                "scopes_supported": ["mcp:tools"], "other": 1}  # fmt: skip
        for place, path in ((f"{KNOWN}/mcp", "/mcp/clinic"), (KNOWN, "/mcp")):
            server.documents = {place: said}
            got = await found(server, path)
            assert got == Resource(f"{server.base}/mcp", (ISSUER,), ("mcp:tools",))
        assert server.asked == [f"{KNOWN}/mcp/clinic", f"{KNOWN}/mcp", f"{KNOWN}/mcp", KNOWN]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"resource": "https://other.example/mcp"}, "says that it is https://other.example/mcp"),
        ({"authorization_servers": []}, "names no authorization server"),
        ({"authorization_servers": 7}, "are not valid"),
        ({"resource": None}, "are not valid"),
    ],
)
async def test_metadata_that_are_not_ours_are_refused(change: dict[str, Any], why: str) -> None:
    async with scripted() as server:
        server.documents[f"{KNOWN}/mcp"] = {
            "resource": f"{server.base}/mcp", "authorization_servers": [ISSUER], **change,
        }  # fmt: skip
        with pytest.raises(Refused, match=why):
            await found(server)


async def test_a_gateway_without_metadata_or_in_trouble_is_told_apart() -> None:
    async def broken(out: Out) -> None:
        await out.text(503, "later")

    async with scripted() as server:
        with pytest.raises(Refused, match="names no authorization server"):
            await found(server)
        server.documents[f"{KNOWN}/mcp"] = broken
        with pytest.raises(Refused, match="answered 503"):
            await found(server)
        url = Url(server.base + "/mcp")
    with pytest.raises(Refused, match="does not answer"):
        await resource_of(url, fetch)


def test_several_servers_need_a_choice_and_only_named_ones_are_trusted() -> None:
    one, two = Resource("r", (ISSUER,)), Resource("r", (ISSUER, "https://b.example"))
    assert issuer_of(one, "") == ISSUER
    assert issuer_of(two, "https://b.example") == "https://b.example"
    with pytest.raises(Refused, match="several"):
        issuer_of(two, "")
    with pytest.raises(Refused, match="does not trust"):
        issuer_of(one, "https://evil.example")


async def test_a_page_for_people_is_no_document_and_the_next_place_is_asked() -> None:
    async def page(out: Out) -> None:
        await out.text(200, "<p>Welcome</p>")

    async with scripted() as server:
        server.describe()
        said = server.documents.pop("/.well-known/oauth-authorization-server")
        server.documents["/.well-known/oauth-authorization-server"] = page
        server.documents["/.well-known/openid-configuration"] = said
        got = await server_of(server.base, fetch)
        assert got.token_endpoint == f"{server.base}/token"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://evil.example"}, "is not of"),
        ({"issuer": None}, "is not of"),
        ({"token_endpoint": None}, "are not valid"),
        ({"token_endpoint": "http://id.example/token"}, "token_endpoint of"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint of"),
        ({"revocation_endpoint": "ftp://id.example/"}, "revocation_endpoint of"),
    ],
)
async def test_a_server_that_is_not_what_was_asked_is_refused(
    change: dict[str, Any], why: str
) -> None:
    async with scripted() as server:
        server.describe(**change)
        with pytest.raises(Refused, match=why):
            await server_of(server.base, fetch)


async def test_a_server_without_metadata_is_refused() -> None:
    async with scripted() as server:
        with pytest.raises(Refused, match="publishes no metadata"):
            await server_of(server.base, fetch)
    with pytest.raises(Refused, match="not https"):
        await server_of("http://id.example", fetch)
