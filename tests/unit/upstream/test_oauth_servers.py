from collections.abc import AsyncIterator

import pytest

from lockgate.upstream.credential import Credential
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_servers import KEPT_SECONDS
from lockgate.upstream.target import HttpTarget
from support.oauth_upstream import Ticking, servers
from support.paper_server import Paper, PaperServer

META = "/.well-known/oauth-authorization-server"


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        yield server


def target(paper: PaperServer, issuer: str = "", resource: str = "") -> HttpTarget:
    credential = Credential("account", issuer, resource=resource)
    return HttpTarget(f"{paper.url}/mcp", {}, credential)


async def test_the_configured_issuer_is_asked_and_the_upstream_is_not(paper: PaperServer) -> None:
    found = await servers(paper, Ticking()).of(target(paper, issuer=paper.url))
    assert (found.server.issuer, found.resource) == (paper.url, f"{paper.url}/mcp")
    assert [one.path for one in paper.asked] == [META]


async def test_else_the_upstream_says_who_gives_its_tokens_and_for_what(paper: PaperServer) -> None:
    about = {"resource": paper.url, "authorization_servers": [paper.url], "scopes_supported": ["a"]}
    paper.pages["/.well-known/oauth-protected-resource"] = Paper(about)
    found = await servers(paper, Ticking()).of(target(paper))
    assert (found.resource, found.scopes) == (paper.url, ("a",))
    named = await servers(paper, Ticking()).of(target(paper, resource="urn:notes"))
    assert named.resource == "urn:notes"


async def test_an_upstream_that_names_no_server_is_told(paper: PaperServer) -> None:
    about = {"resource": paper.url, "authorization_servers": []}
    paper.pages["/.well-known/oauth-protected-resource"] = Paper(about)
    with pytest.raises(OAuthFailed, match="names no authorization server"):
        await servers(paper, Ticking()).of(target(paper))


async def test_metadata_are_kept_a_while(paper: PaperServer) -> None:
    ticking = Ticking()
    known = servers(paper, ticking)
    for _ in range(3):
        await known.named(paper.url)
    assert len(paper.asked_for(META)) == 1
    ticking.now += KEPT_SECONDS
    await known.named(paper.url)
    assert len(paper.asked_for(META)) == 2
