"""Token requests: what is sent, what is believed, and what is never shown."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from lockgate.upstream.oauth_metadata import OAuthFailed, Server
from lockgate.upstream.oauth_token import (
    UNSTATED_SECONDS,
    Clock,
    OAuthClient,
    Token,
    TokenEndpoint,
)
from support.paper_server import Paper, PaperServer

CLOCK = Clock(lambda: 1_000, lambda: "nonce")
GOOD = {"access_token": "at", "token_type": "bearer", "expires_in": 60}
KEY = ECKey.generate_key("P-256", {"kid": "k1"})


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.pages["/token"] = Paper(GOOD)
        yield server


def endpoint(paper: PaperServer, client: OAuthClient, **more: Any) -> TokenEndpoint:
    said = Server(issuer=paper.url, token_endpoint=f"{paper.url}/token", **more)
    return TokenEndpoint(paper.fetcher(), said, client, CLOCK)


async def test_a_secret_goes_into_a_header(paper: PaperServer) -> None:
    token = await endpoint(paper, OAuthClient("a b", "s:é")).ask("some-grant", {"x": "1"})
    assert token == Token("at", 1_060)
    (asked,) = paper.asked
    assert asked.form == {"grant_type": "some-grant", "x": "1"}
    said = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert said == "a+b:s%3A%C3%A9"  # RFC 6749, section 2.3.1


async def test_or_into_the_form_where_the_server_wants_it_so(paper: PaperServer) -> None:
    post = {"token_endpoint_auth_methods_supported": ("client_secret_post",)}
    await endpoint(paper, OAuthClient("id", "s"), **post).ask("g", {})
    await endpoint(paper, OAuthClient("id", "s", auth="client_secret_post")).ask("g", {})
    for asked in paper.asked:
        assert asked.form == {"grant_type": "g", "client_id": "id", "client_secret": "s"}
        assert "authorization" not in asked.headers


async def test_a_public_client_says_only_who_it_is(paper: PaperServer) -> None:
    await endpoint(paper, OAuthClient("id")).ask("g", {})
    assert paper.asked[0].form == {"grant_type": "g", "client_id": "id"}


async def test_a_private_key_signs_a_statement_for_this_server_only(paper: PaperServer) -> None:
    key = msgspec.json.encode(KEY.as_dict(private=True)).decode()
    await endpoint(paper, OAuthClient("id", key=key)).ask("g", {})
    form = paper.asked[0].form
    assert form["client_assertion_type"].endswith("jwt-bearer")
    said = jwt.decode(form["client_assertion"], KEY, algorithms=["ES256"])
    assert said.header["kid"] == "k1"
    assert said.claims == {"iss": "id", "sub": "id", "aud": paper.url, "iat": 1_000,
                           "exp": 1_060, "jti": "nonce"}  # fmt: skip


@pytest.mark.parametrize("given", [None, "x", -1, True, [1]])
async def test_a_token_that_lasts_nobody_knows_how_long(paper: PaperServer, given: Any) -> None:
    paper.pages["/token"] = Paper({**GOOD, "expires_in": given})
    token = await endpoint(paper, OAuthClient("id")).ask("g", {})
    assert token.expires == 1_000 + UNSTATED_SECONDS


async def test_a_lifetime_may_be_written_as_text(paper: PaperServer) -> None:
    paper.pages["/token"] = Paper({**GOOD, "expires_in": "90", "scope": "a", "refresh_token": "r"})
    token = await endpoint(paper, OAuthClient("id")).ask("g", {})
    assert (token.expires, token.scope, token.refresh) == (1_090, "a", "r")


@pytest.mark.parametrize(
    "said",
    [
        {}, b"no json", [], {**GOOD, "access_token": ""}, {**GOOD, "access_token": 1},
        {**GOOD, "access_token": "a b"}, {**GOOD, "access_token": "a\r\nx: y"},
        {**GOOD, "token_type": "DPoP"}, {"access_token": "at"},
    ],
)  # fmt: skip
async def test_what_is_no_bearer_token_is_refused(paper: PaperServer, said: Any) -> None:
    paper.pages["/token"] = Paper(said)
    with pytest.raises(OAuthFailed, match="no bearer token"):
        await endpoint(paper, OAuthClient("id")).ask("g", {})


async def test_an_error_is_known_by_its_code_and_nothing_else_is_repeated(
    paper: PaperServer,
) -> None:
    said = {"error": "invalid_grant", "error_description": "secret words"}
    paper.pages["/token"] = Paper(said, 400)
    with pytest.raises(OAuthFailed) as failed:
        await endpoint(paper, OAuthClient("id", "s3cret")).ask("g", {"refresh_token": "rt-x"})
    assert failed.value.code == "invalid_grant"
    assert str(failed.value) == "127.0.0.1: HTTP 400 invalid_grant"
    paper.pages["/token"] = Paper({"error": "words of\nothers"}, 400)
    with pytest.raises(OAuthFailed) as failed:
        await endpoint(paper, OAuthClient("id")).ask("g", {})
    assert (failed.value.code, str(failed.value)) == ("", "127.0.0.1: HTTP 400")


async def test_a_redirect_of_the_token_endpoint_is_not_followed(paper: PaperServer) -> None:
    paper.pages["/token"] = Paper(status=307, headers={"location": f"{paper.url}/other"})
    with pytest.raises(OAuthFailed, match="HTTP 307"):
        await endpoint(paper, OAuthClient("id", "s")).ask("g", {})
    assert len(paper.asked) == 1


async def test_a_token_endpoint_elsewhere_is_not_asked(paper: PaperServer) -> None:
    said = Server(issuer=paper.url, token_endpoint="http://169.254.169.254/token")
    asking = TokenEndpoint(paper.fetcher(), said, OAuthClient("id", "s"), CLOCK)
    with pytest.raises(OAuthFailed, match="not among the origins"):
        await asking.ask("g", {})


def test_secrets_never_stand_in_a_repr() -> None:
    shown = f"{OAuthClient('id', 's3cret', 's3cret')!r} {Token('s3cret', 1, 's3cret')!r}"
    assert "s3cret" not in shown


async def test_a_token_is_ended_at_the_revocation_endpoint_with_our_proof(
    paper: PaperServer,
) -> None:
    """RFC 7009, section 2.1. An empty answer is one; a token that is unknown is no failure."""
    paper.pages["/revoke"] = Paper()
    at = endpoint(paper, OAuthClient("id", "s"), revocation_endpoint=f"{paper.url}/revoke")
    await at.revoke("rt", "refresh_token")
    (asked,) = paper.asked
    assert (asked.path, asked.form) == (
        "/revoke",
        {"token": "rt", "token_type_hint": "refresh_token"},
    )
    assert asked.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "answer", [Paper({"error": "unsupported_token_type"}, 400), Paper(status=503)]
)
async def test_a_revocation_that_fails_says_so_without_the_token(
    paper: PaperServer, answer: Paper
) -> None:
    paper.pages["/revoke"] = answer
    at = endpoint(paper, OAuthClient("id", "s"), revocation_endpoint=f"{paper.url}/revoke")
    with pytest.raises(OAuthFailed, match=f"HTTP {answer.status}") as failed:
        await at.revoke("s3cret-token", "refresh_token")
    assert "s3cret" not in str(failed.value)
