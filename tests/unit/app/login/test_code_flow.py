import asyncio
import base64
import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from lockgate.app.login.code_flow import by_code
from lockgate.app.login.grant import Grant, Wanted
from lockgate.control_plane.services.refused import Refused
from support.authorization_server import means, query_of, scripted, visit


async def signed_in(wanted: Wanted, answer: Callable[[dict[str, str]], dict[str, str]]) -> Grant:
    """A person whose browser comes back with ``answer`` to the query it was sent with."""
    visits: list[asyncio.Task[tuple[int, str]]] = []

    def show(address: str) -> None:
        asked = query_of(address)
        back = f"{asked['redirect_uri']}?{urlencode(answer(asked))}"
        visits.append(asyncio.create_task(visit(back)))

    try:
        return await by_code(wanted, means(show))
    finally:
        await asyncio.gather(*visits)


def back(**said: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda query: {**said, "state": query["state"]}


async def test_what_is_asked_for_is_what_the_standards_want() -> None:
    asked: dict[str, str] = {}

    def answer(query: dict[str, str]) -> dict[str, str]:
        asked.update(query)
        return {"code": "c-1", "state": query["state"]}

    async with scripted() as server:
        grant = await signed_in(server.wanted(), answer)
        ((_, form),) = server.forms
    assert grant.access_token == "at-1"
    assert asked["response_type"] == "code"
    assert asked["client_id"] == form["client_id"] == "cli"
    assert asked["resource"] == form["resource"] == f"{server.base}/mcp"
    assert asked["redirect_uri"] == form["redirect_uri"]
    assert (form["grant_type"], form["code"]) == ("authorization_code", "c-1")
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert len(form["code_verifier"]) >= 43
    assert form["code_verifier"] != asked["state"]
    assert "prompt" not in asked


@pytest.mark.parametrize("methods", [(), ("plain",)])
async def test_a_server_that_does_not_say_that_it_checks_pkce_is_not_used(
    methods: tuple[str, ...],
) -> None:
    async with scripted() as server:
        wanted = server.wanted(code_challenge_methods_supported=methods)
        with pytest.raises(Refused, match="PKCE"):
            await by_code(wanted, means())
        with pytest.raises(Refused, match="browser"):
            await by_code(server.wanted(authorization_endpoint=""), means())


@pytest.mark.parametrize(
    ("advertised", "iss"), [(True, None), (True, "evil"), (False, "evil"), (True, "slash")]
)
async def test_an_answer_of_another_server_is_not_used_and_not_shown(
    advertised: bool, iss: str | None
) -> None:
    async with scripted() as server:
        issuers = {"evil": "https://evil.example", "slash": server.base + "/"}
        named = {"iss": issuers[iss]} if iss else {}
        wanted = server.wanted(authorization_response_iss_parameter_supported=advertised)
        for said in ({"code": "c"}, {"error": "call_0900_EVIL"}):
            with pytest.raises(Refused, match="did not come from") as refused:
                await signed_in(wanted, back(**said, **named))
            assert "EVIL" not in str(refused.value)
        assert not server.forms, "no code was sent anywhere"


async def test_a_refusal_and_an_empty_answer_are_told_apart() -> None:
    async with scripted() as server:
        wanted = server.wanted(authorization_response_iss_parameter_supported=True)
        said = {"iss": server.base}
        with pytest.raises(Refused, match="access_denied"):
            await signed_in(wanted, back(**said, error="access_denied"))
        with pytest.raises(Refused, match="without a code"):
            await signed_in(wanted, back(**said))


async def test_staying_signed_in_asks_for_consent() -> None:
    asked: dict[str, str] = {}

    def answer(query: dict[str, str]) -> dict[str, str]:
        asked.update(query)
        return {"code": "c", "state": query["state"]}

    async with scripted() as server:
        one = server.wanted()
        wanted = Wanted(one.gateway, one.resource, one.server, "cli", "openid offline_access")
        await signed_in(wanted, answer)
    assert (asked["prompt"], asked["scope"]) == ("consent", "openid offline_access")


async def test_an_endpoint_may_have_a_query_of_its_own() -> None:
    async with scripted() as server:
        wanted = server.wanted(authorization_endpoint=f"{server.base}/authorize?tenant=1")

        def answer(query: dict[str, str]) -> dict[str, str]:
            assert query["tenant"] == "1"
            return {"code": "c", "state": query["state"]}

        assert await signed_in(wanted, answer)
