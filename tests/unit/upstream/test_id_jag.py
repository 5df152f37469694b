"""Enterprise-managed access: two servers, each gets what is its own and no more."""

from collections.abc import AsyncIterator

import pytest

from lockgate.upstream.id_jag import ID_JAG, ask_id_jag
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import OAuthClient, Token
from lockgate.upstream.rfc8693_exchange import ID_TOKEN, SubjectToken
from support.oauth_upstream import Ticking, servers
from support.paper_server import Paper, PaperServer

GRANT = {"access_token": "the-grant", "token_type": "N_A", "issued_token_type": ID_JAG}
RESOURCE = "https://up.example/mcp"


@pytest.fixture
async def idp() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        server.pages["/token"] = Paper(GRANT)
        yield server


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        yield server


async def asked(idp: PaperServer, paper: PaperServer) -> Token:
    first, second = servers(idp, Ticking()), servers(paper, Ticking())
    return await ask_id_jag(
        first.endpoint(await first.named(idp.url), OAuthClient("at-idp", "s1")),
        second.endpoint(await second.named(paper.url), OAuthClient("at-as", "s2")),
        SubjectToken("her-id-token", ID_TOKEN), RESOURCE, ("read",),
    )  # fmt: skip


async def test_the_grant_of_one_becomes_a_token_of_the_other(
    idp: PaperServer, paper: PaperServer
) -> None:
    assert (await asked(idp, paper)).access == "access-1"
    at_idp, at_as = idp.asked_for("/token")[0].form, paper.asked_for("/token")[0].form
    assert at_idp["requested_token_type"] == ID_JAG
    assert at_idp["subject_token_type"] == ID_TOKEN
    assert (at_idp["audience"], at_idp["resource"]) == (paper.url, RESOURCE)
    assert at_as["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (at_as["assertion"], at_as["scope"]) == ("the-grant", "read")
    assert "her-id-token" not in str(at_as)


async def test_a_provider_that_gives_something_else_is_refused(
    idp: PaperServer, paper: PaperServer
) -> None:
    idp.pages["/token"] = Paper({"access_token": "x", "token_type": "Bearer"})
    with pytest.raises(OAuthFailed, match="did not give an ID-JAG"):
        await asked(idp, paper)
    assert not paper.asked_for("/token")
