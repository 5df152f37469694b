"""As which client we come: registered beforehand, by document, or registered now."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lockgate.upstream.oauth_clients import OAuthClients
from lockgate.upstream.oauth_metadata import OAuthFailed, Server
from lockgate.upstream.oauth_token import OAuthClient
from support.paper_server import Paper, PaperServer

NOBODY = OAuthClient("")


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        yield server


def clients(paper: PaperServer, base: str = "https://gate.example") -> OAuthClients:
    return OAuthClients(paper.fetcher(), lambda: base, redirect="/back", document="/me.json")


def server(paper: PaperServer, **more: Any) -> Server:
    return Server(issuer=paper.url, token_endpoint="https://x", **more)


async def test_what_is_configured_comes_first(paper: PaperServer) -> None:
    mine = OAuthClient("mine", "s")
    said = server(paper, client_id_metadata_document_supported=True, registration_endpoint="x")
    assert await clients(paper).of(mine, said) == mine


async def test_then_our_own_document(paper: PaperServer) -> None:
    made = clients(paper)
    found = await made.of(NOBODY, server(paper, client_id_metadata_document_supported=True))
    assert found.id == "https://gate.example/me.json"
    document = msgspec.json.decode(made.document())
    assert document["client_id"] == found.id
    assert document["redirect_uris"] == ["https://gate.example/back"]
    assert document["token_endpoint_auth_method"] == "none"


async def test_then_registration_once_a_server(paper: PaperServer) -> None:
    paper.pages["/register"] = Paper({"client_id": "given", "client_secret": "s"}, 201)
    said = server(paper, registration_endpoint=f"{paper.url}/register")
    made = clients(paper, "http://127.0.0.1:1")
    assert await made.of(NOBODY, said) == OAuthClient("given", "s", auth="client_secret_basic")
    assert (await made.of(NOBODY, said)).id == "given"
    (asked,) = paper.asked
    assert msgspec.json.decode(asked.body)["application_type"] == "native"


@pytest.mark.parametrize("said", [b"no", {}, {"error": "invalid_redirect_uri"}])
async def test_a_server_that_registers_nobody(paper: PaperServer, said: Any) -> None:
    paper.pages["/register"] = Paper(said, 400)
    where = server(paper, registration_endpoint=f"{paper.url}/register")
    with pytest.raises(OAuthFailed, match="did not register"):
        await clients(paper).of(NOBODY, where)


async def test_without_any_of_it_the_operator_must_help(paper: PaperServer) -> None:
    with pytest.raises(OAuthFailed, match="no client_id is configured"):
        await clients(paper).of(NOBODY, server(paper))
    elsewhere = server(paper, registration_endpoint="http://169.254.169.254/")
    with pytest.raises(OAuthFailed, match="not among the origins"):
        await clients(paper).of(NOBODY, elsewhere)
