"""Tokens that need no person in front of a browser."""

from collections.abc import AsyncIterator

import pytest

from lockgate.model import SendFailed
from lockgate.upstream.fetch import Fetcher, Reach
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import OAuthClient
from lockgate.upstream.rfc8693_exchange import ACCESS_TOKEN, ID_TOKEN, SubjectToken
from lockgate.upstream.sources import SIGN_IN, ClientCredentials, Exchange, IdJag
from support.oauth_upstream import ALICE, BOB, HeldSubjects, Ticking, registered, servers
from support.paper_server import Paper, PaperServer


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue()
        yield server


async def test_client_credentials_are_for_this_upstream(paper: PaperServer) -> None:
    source = ClientCredentials(servers(paper, Ticking()))
    upstream = registered(paper, "client_credentials", scopes=("a",))
    assert (await source.token(upstream, "", "")).access == "access-1"
    form = paper.asked_for("/token")[0].form
    assert form == {
        "grant_type": "client_credentials",
        "scope": "a",
        "resource": f"{paper.url}/mcp",
    }
    await source.lacks(upstream, "", ())


async def test_an_exchange_takes_the_token_of_the_person_who_calls(paper: PaperServer) -> None:
    subjects = HeldSubjects()
    subjects.hold(ALICE, SubjectToken("alice-token"))
    source = Exchange(servers(paper, Ticking()), subjects)
    upstream = registered(paper, "exchange", audience="aud")
    await source.token(upstream, ALICE, "")
    form = paper.asked_for("/token")[0].form
    assert (form["subject_token"], form["subject_token_type"]) == ("alice-token", ACCESS_TOKEN)
    assert form["audience"] == "aud"
    with pytest.raises(SendFailed) as failed:
        await source.token(upstream, BOB, "")
    assert (failed.value.reason, failed.value.told) == ("upstream.credential", SIGN_IN)
    await source.lacks(upstream, ALICE, ())


async def test_an_id_jag_takes_her_id_token_to_her_own_provider_only(paper: PaperServer) -> None:
    async with PaperServer() as idp:
        idp.issue()
        kind = "urn:ietf:params:oauth:token-type:id-jag"
        grant = {"access_token": "grant", "token_type": "N_A", "issued_token_type": kind}
        idp.pages["/token"] = Paper(grant)
        subjects = HeldSubjects()
        subjects.hold(ALICE, SubjectToken("alice-id", ID_TOKEN))
        reach = Reach(internal=frozenset({paper.url, idp.url}))
        known = OAuthServers(Fetcher(lambda: reach), Ticking().clock)
        source = IdJag(known, subjects)
        upstream = registered(
            paper, "id_jag", idp_issuer=idp.url, idp_client=OAuthClient("at-idp", "s")
        )
        assert (await source.token(upstream, ALICE, "")).access == "access-1"
        assert "alice-id" in idp.asked_for("/token")[0].body.decode()
        assert "alice-id" not in str(paper.asked)
        await source.lacks(upstream, ALICE, ())
