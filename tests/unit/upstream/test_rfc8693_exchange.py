from collections.abc import AsyncIterator

import pytest

from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import OAuthClient, TokenEndpoint
from lockgate.upstream.rfc8693_exchange import (
    ACCESS_TOKEN,
    ID_TOKEN,
    TOKEN_EXCHANGE,
    SubjectToken,
    Wanted,
    exchange,
)
from support.oauth_upstream import Ticking, servers
from support.paper_server import Paper, PaperServer

GIVEN = {"access_token": "new", "token_type": "Bearer", "issued_token_type": ACCESS_TOKEN}


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        server.pages["/token"] = Paper(GIVEN)
        yield server


async def endpoint(paper: PaperServer) -> TokenEndpoint:
    known = servers(paper, Ticking())
    return known.endpoint(await known.named(paper.url), OAuthClient("lockgate", "s"))


async def test_everything_that_is_wanted_is_asked_for(paper: PaperServer) -> None:
    wanted = Wanted("aud", "https://up.example/mcp", ("a", "b"))
    token = await exchange(await endpoint(paper), SubjectToken("hers"), wanted)
    assert token.access == "new"
    assert paper.asked_for("/token")[0].form == {
        "grant_type": TOKEN_EXCHANGE, "subject_token": "hers", "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": ACCESS_TOKEN, "audience": "aud",
        "resource": "https://up.example/mcp", "scope": "a b",
    }  # fmt: skip


async def test_what_is_not_wanted_is_left_out(paper: PaperServer) -> None:
    await exchange(await endpoint(paper), SubjectToken("hers", ID_TOKEN), Wanted())
    form = paper.asked_for("/token")[0].form
    assert form["subject_token_type"] == ID_TOKEN
    assert not {"audience", "resource", "scope"} & form.keys()


async def test_a_token_of_another_kind_is_refused(paper: PaperServer) -> None:
    paper.pages["/token"] = Paper({**GIVEN, "issued_token_type": ID_TOKEN})
    with pytest.raises(OAuthFailed, match="another kind"):
        await exchange(await endpoint(paper), SubjectToken("hers"), Wanted())


def test_the_person_s_token_is_not_shown() -> None:
    assert "hers" not in repr(SubjectToken("hers"))
