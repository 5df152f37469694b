"""Metadata, from a server that tells the truth and from others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lockgate.upstream.oauth_metadata import (
    OAuthFailed,
    Server,
    check_browser_may_go,
    covers,
    read_resource,
    read_server,
)
from support.paper_server import Paper, PaperServer

ROOT = "/.well-known/oauth-protected-resource"
AUTHORIZATION, OPENID = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
)


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        yield server


async def test_the_address_in_the_challenge_comes_first(paper: PaperServer) -> None:
    url = f"{paper.url}/mcp"
    said = f'Bearer resource_metadata="{paper.url}/meta", scope="one two"'
    paper.pages["/mcp"] = Paper(status=401, headers={"www-authenticate": said})
    about = {"resource": url, "authorization_servers": ["https://a"], "scopes_supported": ["all"]}
    paper.pages["/meta"] = Paper(about)
    found = await read_resource(paper.fetcher(), url)
    assert (found.authorization_servers, found.asked) == (("https://a",), ("one", "two"))
    assert [one.path for one in paper.asked] == ["/mcp", "/meta"]
    assert all("authorization" not in one.headers for one in paper.asked)


async def test_then_the_path_then_the_root(paper: PaperServer) -> None:
    url = f"{paper.url}/mcp"
    paper.pages[ROOT] = Paper({"resource": paper.url, "authorization_servers": ["https://a"]})
    assert (await read_resource(paper.fetcher(), url)).authorization_servers == ("https://a",)
    assert [one.path for one in paper.asked] == ["/mcp", f"{ROOT}/mcp", ROOT]


async def test_a_server_without_metadata_is_its_own_authorization_server(
    paper: PaperServer,
) -> None:
    found = await read_resource(paper.fetcher(), f"{paper.url}/mcp")
    assert (found.resource, found.authorization_servers) == (f"{paper.url}/mcp", (paper.url,))


async def test_metadata_about_another_resource_are_refused(paper: PaperServer) -> None:
    paper.pages[ROOT] = Paper({"resource": "https://evil.example", "authorization_servers": []})
    with pytest.raises(OAuthFailed, match="about another resource"):
        await read_resource(paper.fetcher(), f"{paper.url}/mcp")


async def test_metadata_elsewhere_are_not_even_asked_for(paper: PaperServer) -> None:
    said = 'Bearer resource_metadata="http://169.254.169.254/latest"'
    paper.pages["/mcp"] = Paper(status=401, headers={"www-authenticate": said})
    with pytest.raises(OAuthFailed, match="not among the origins"):
        await read_resource(paper.fetcher(), f"{paper.url}/mcp")


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("", [AUTHORIZATION, OPENID]),
        ("/t/1", [f"{AUTHORIZATION}/t/1", f"{OPENID}/t/1", f"/t/1{OPENID}"]),
    ],
)
async def test_an_authorization_server_is_looked_for_in_the_prescribed_order(
    paper: PaperServer, path: str, places: list[str]
) -> None:
    issuer = paper.url + path
    with pytest.raises(OAuthFailed, match="has no authorization server metadata"):
        await read_server(paper.fetcher(), issuer)
    assert [one.path for one in paper.asked] == places
    paper.pages[places[-1]] = Paper({"issuer": issuer, "token_endpoint": f"{paper.url}/token"})
    assert (await read_server(paper.fetcher(), issuer)).issuer == issuer


@pytest.mark.parametrize("said", ["https://other.example", "{url}/", "{url}/T"])
async def test_an_issuer_that_calls_itself_otherwise_is_refused(
    paper: PaperServer, said: str
) -> None:
    issuer = said.format(url=paper.url)
    paper.pages[AUTHORIZATION] = Paper({"issuer": issuer, "token_endpoint": "https://x"})
    with pytest.raises(OAuthFailed, match="has another issuer"):
        await read_server(paper.fetcher(), paper.url)


@pytest.mark.parametrize("said", [b"<html>", [], {"issuer": 1}, {"issuer": "x"}])
async def test_metadata_of_another_shape_are_refused(paper: PaperServer, said: Any) -> None:
    paper.pages[AUTHORIZATION] = Paper(said)
    with pytest.raises(OAuthFailed, match="not valid"):
        await read_server(paper.fetcher(), paper.url)


def server(**more: Any) -> Server:
    return Server(
        **{
            "issuer": "https://a.example",
            "token_endpoint": "https://a.example/token",
            "authorization_endpoint": "https://a.example/authorize",
            "code_challenge_methods_supported": ("plain", "S256"),
            **more,
        }
    )


def test_a_browser_goes_to_a_server_with_pkce() -> None:
    check_browser_may_go(server())


@pytest.mark.parametrize("methods", [(), ("plain",)])
def test_a_server_without_pkce_is_refused(methods: tuple[str, ...]) -> None:
    with pytest.raises(OAuthFailed, match="PKCE"):
        check_browser_may_go(server(code_challenge_methods_supported=methods))


@pytest.mark.parametrize(
    "url",
    ["", "javascript:alert(1)", "data:text/html,x", "http://a.example/authorize", "file:///x",
     "https://user@a.example/", "https://a.example/#x", "https:///x"],
)  # fmt: skip
def test_a_browser_is_not_sent_to_what_is_no_safe_web_address(url: str) -> None:
    with pytest.raises(OAuthFailed, match="not a safe URL"):
        check_browser_may_go(server(authorization_endpoint=url))


@pytest.mark.parametrize(
    ("resource", "good"),
    [
        ("https://a.example/mcp", True), ("HTTPS://A.example/mcp/", True),
        ("https://a.example", True), ("https://a.example/mc", False),
        ("https://b.example/mcp", False), ("http://a.example/mcp", False),
        ("https://a.example/mcp/deeper", False), ("https://a.example/mcp?x", False),
        ("https://a.example:444/mcp", False),
    ],
)  # fmt: skip
def test_a_resource_is_the_url_or_above_it(resource: str, good: bool) -> None:
    assert covers(resource, "https://a.example/mcp") is good
