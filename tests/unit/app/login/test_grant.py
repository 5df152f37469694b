from typing import Any

import pytest

from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import GrantRefused, obtain, post_form, printable, renew, revoke
from lockgate.model.fetch import FetchFailed
from support.authorization_server import TOKENS, id_token, scripted

CODE = {"grant_type": "authorization_code", "code": "c"}


async def test_a_code_becomes_a_grant_for_the_resource() -> None:
    async with scripted() as server:
        token = id_token(iss=server.base, aud=["cli"], sub="u-1", email="alice@example.org")
        server.posts["/token"] = lambda _: (200, {**TOKENS, "id_token": token, "scope": "a b"})
        got = await obtain(server.wanted(), CODE, fetch, 1000.0)
        form = {**CODE, "client_id": "cli", "resource": f"{server.base}/mcp"}
        assert server.forms == [("/token", form)]
    assert (got.access_token, got.refresh_token, got.scope) == ("at-1", "rt-1", "a b")
    assert (got.obtained, got.expires) == (1000.0, 1100.0)
    assert (got.subject, got.name) == ("u-1", "alice@example.org")
    assert "at-1" not in repr(got)
    assert "rt-1" not in repr(got)


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example", "aud": "cli", "sub": "x"}, {"aud": "cli", "sub": "x"},
     {"iss": "", "aud": "other", "sub": "x"}, {"iss": "", "aud": "cli"}, {}],
)  # fmt: skip
async def test_an_id_token_of_somebody_else_names_nobody(claims: dict[str, Any]) -> None:
    async with scripted() as server:
        said = {**claims, "iss": claims["iss"] or server.base} if "iss" in claims else claims
        for token in (id_token(**said), "nonsense", "a.!.c", 7):
            answer = {**TOKENS, "id_token": token}
            server.answer("/token", 200, answer)
            got = await obtain(server.wanted(), CODE, fetch, 0.0)
            assert (got.subject, got.name) == ("", "")


@pytest.mark.parametrize("seconds", [None, 0, -1, "x", True])
async def test_an_end_that_is_not_said_is_not_known(seconds: object) -> None:
    async with scripted() as server:
        answer = {**TOKENS, "expires_in": seconds}
        server.posts["/token"] = lambda _: (200, answer)
        assert (await obtain(server.wanted(), CODE, fetch, 5.0)).expires == 0.0


async def test_renewing_takes_a_new_refresh_token_or_keeps_the_old() -> None:
    async with scripted() as server:
        old = server.grant(scope="a")
        server.posts["/token"] = lambda _: (200, {**TOKENS, "access_token": "at-2",
                                                  "refresh_token": "rt-2"})  # fmt: skip
        new = await renew(old, fetch, 50.0)
        assert (new.access_token, new.refresh_token, new.expires) == ("at-2", "rt-2", 150.0)
        server.posts["/token"] = lambda _: (200, {"access_token": "at-3", "token_type": "bearer"})
        last = await renew(new, fetch, 60.0)
        assert (last.access_token, last.refresh_token, last.scope) == ("at-3", "rt-2", "a")
        asked = [form["refresh_token"] for _, form in server.forms]
        assert asked == ["rt-1", "rt-2"]
        assert {form["resource"] for _, form in server.forms} == {f"{server.base}/mcp"}


@pytest.mark.parametrize(
    "answer",
    [{"token_type": "Bearer"}, {"access_token": "a"}, {"access_token": "a", "token_type": "DPoP"},
     {"access_token": "a b", "token_type": "Bearer"}, {"access_token": "a\r\nb: c",
     "token_type": "Bearer"}, {"access_token": "", "token_type": "Bearer"}, [], "x"],
)  # fmt: skip
async def test_what_is_no_bearer_token_is_no_grant(answer: object) -> None:
    async with scripted() as server:
        server.posts["/token"] = lambda _: (200, answer)
        with pytest.raises(FetchFailed):
            await obtain(server.wanted(), CODE, fetch, 0.0)


async def test_a_refusal_is_a_code_and_never_a_story() -> None:
    async with scripted() as server:
        answer = {"error": "invalid_grant", "error_description": "click http://evil.example"}
        server.posts["/token"] = lambda _: (400, answer)
        with pytest.raises(GrantRefused) as refused:
            await post_form(f"{server.base}/token", {}, fetch)
        assert (refused.value.error, str(refused.value)) == ("invalid_grant", "invalid_grant")
        for status, body in ((400, "x"), (500, answer), (302, {}), (200, [1])):
            server.answer("/token", status, body)
            with pytest.raises(FetchFailed):
                await post_form(f"{server.base}/token", {}, fetch)
    assert printable("a\x1b[31mb\nc" + "d" * 100) == "a[31mbc" + "d" * 51


async def test_both_tokens_are_revoked_and_the_refresh_token_counts() -> None:
    async with scripted() as server:
        server.posts["/revoke"] = lambda form: (
            200 if form["token_type_hint"] == "refresh_token" else 400, {})  # fmt: skip
        assert await revoke(server.grant(), fetch) is True
        assert [form["token"] for _, form in server.forms] == ["rt-1", "at-1"]
        assert await revoke(server.grant(refresh_token=""), fetch) is False
        assert await revoke(server.grant(revocation_endpoint=""), fetch) is False
