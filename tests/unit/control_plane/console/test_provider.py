import asyncio
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from msgspec.structs import replace

from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.provider import (
    Client,
    Provider,
    SignIn,
    challenge_of,
    is_private,
)
from lockgate.identity.id_token import IdTokenCheck
from lockgate.identity.key_sets import LEAST_SECONDS
from lockgate.identity.metadata import KEPT_SECONDS, REST_SECONDS, Metadata
from lockgate.model.fetch import Fetch, Fetched
from support.console_desk import provider_at
from support.issuer import CLIENT, ISSUER, SECRET, Issuer

CLIENT_OF = Client(ISSUER, CLIENT, "https://gate.example/console/callback", SECRET)
DISCOVERY = "/.well-known/openid-configuration"
BEGUN = SignIn("state", "nonce", "v" * 43, 0)


class World:
    def __init__(self) -> None:
        self.issuer = Issuer()
        self.later = 0
        self.provider = provider_at(self.issuer, self.now)

    def now(self) -> int:
        return int(time.time() * 1000) + self.later

    async def person(self, **changes: str) -> Any:
        answer = self.issuer.authorize(await self.provider.address(BEGUN))
        return await self.provider.person({**answer, **changes}, BEGUN)


def asking(fetch: Fetch, client: Client) -> Provider:
    issuer = Issuer()
    check = IdTokenCheck(lambda: issuer.known, client.id, issuer.keys)
    return Provider(fetch, client, Metadata(fetch, lambda: 0.0), check, lambda: 0)


@pytest.fixture
def world() -> World:
    return World()


async def test_where_the_browser_is_sent(world: World) -> None:
    asked = parse_qs(urlsplit(await world.provider.address(BEGUN)).query)
    assert asked["code_challenge"] == [challenge_of(BEGUN.verifier)]
    assert asked["code_challenge_method"] == ["S256"]
    assert (asked["state"], asked["nonce"]) == (["state"], ["nonce"])
    assert BEGUN.verifier not in str(asked)
    world.issuer.now += KEPT_SECONDS
    world.issuer.metadata = {"authorization_endpoint": f"{ISSUER}/auth?tenant=a"}
    assert "?tenant=a&response_type=code" in await world.provider.address(BEGUN)


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_who_came_back(world: World) -> None:
    person = await world.person()
    assert (person.sub, person.name) == ("alice", "Alice")


@pytest.mark.parametrize(
    "changes", [{"iss": "https://evil.example"}, {"error": "x"}, {"code": ""}, {"code": "guess"}]
)
async def test_answers_that_are_refused(world: World, changes: dict[str, str]) -> None:
    with pytest.raises(SignInFailed):
        await world.person(**changes)


async def test_the_issuer_in_the_answer_may_be_left_out_only_where_none_is_promised(
    world: World,
) -> None:
    world.issuer.answer = {"iss": None}
    with pytest.raises(SignInFailed, match="9207"):
        await world.person()
    world.issuer.now += KEPT_SECONDS
    world.issuer.metadata = {"authorization_response_iss_parameter_supported": False}
    world.later = 3_600_000
    with pytest.raises(SignInFailed, match="token"):
        await world.person()  # its clock is ahead: the token looks old
    world.later = 0
    assert (await world.person()).sub == "alice"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"}, {"issuer": f"{ISSUER}/"},
        {"token_endpoint": "http://login.example/token"}, {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": 7},
        {"jwks_uri": "https://[bad"},
    ],
)  # fmt: skip
async def test_metadata_that_is_refused(world: World, metadata: dict[str, Any]) -> None:
    world.issuer.metadata = metadata
    with pytest.raises(SignInFailed):
        await world.provider.address(BEGUN)


async def test_metadata_may_be_where_rfc_8414_says() -> None:
    asked = []

    async def fetch(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        asked.append(url)
        return Fetched(404, b"")

    provider = asking(fetch, Client("https://id.example/t1/", "c", "r"))
    with pytest.raises(SignInFailed, match="no metadata"):
        await provider.address(BEGUN)
    assert "https://id.example/t1/.well-known/openid-configuration" in asked
    assert "https://id.example/.well-known/oauth-authorization-server/t1" in asked


async def test_description_and_keys_are_kept_for_a_time_and_asked_for_once(world: World) -> None:
    await asyncio.gather(*(world.provider.address(BEGUN) for _ in range(5)))
    await world.person()
    await world.person()
    assert world.issuer.log.count(DISCOVERY) == 1
    assert world.issuer.log.count("/jwks") == 1
    world.issuer.now += KEPT_SECONDS
    await world.provider.address(BEGUN)
    assert world.issuer.log.count(DISCOVERY) == 2


async def test_new_keys_are_found_and_unknown_ones_do_not_make_us_ask_on_and_on(
    world: World,
) -> None:
    await world.person()
    world.issuer.key = RSAKey.generate_key(2048, {"kid": "k2"}, private=True)
    world.issuer.signs_with, world.issuer.header = world.issuer.key, {"kid": "k2"}
    for _ in range(3):
        with pytest.raises(SignInFailed):
            await world.person()
    assert world.issuer.log.count("/jwks") == 1
    world.issuer.now += LEAST_SECONDS
    assert (await world.person()).sub == "alice"
    assert world.issuer.log.count("/jwks") == 2


async def test_nobody_waits_for_a_provider_that_just_failed(world: World) -> None:
    world.issuer.metadata = {"issuer": "https://evil.example"}
    for _ in range(3):
        with pytest.raises(SignInFailed):
            await world.provider.address(BEGUN)
    assert world.issuer.log.count(DISCOVERY) == 1
    world.issuer.metadata = {}
    world.issuer.now += REST_SECONDS
    assert (await world.provider.address(BEGUN)).startswith(ISSUER)


async def test_a_provider_that_is_down_or_talks_nonsense(world: World) -> None:
    world.issuer.down = True
    with pytest.raises(SignInFailed, match="cannot be asked"):
        await world.provider.address(BEGUN)

    async def nonsense(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        return Fetched(200, b"<html>")

    with pytest.raises(SignInFailed, match="no JSON"):
        await asking(nonsense, CLIENT_OF).address(BEGUN)


async def test_metadata_without_an_endpoint_and_a_token_endpoint_without_an_id_token(
    world: World,
) -> None:
    world.issuer.metadata = {"token_endpoint": None}
    with pytest.raises(SignInFailed, match="lack"):
        await world.provider.address(BEGUN)

    async def silent(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        return await world.issuer(verb, url) if verb == "GET" else Fetched(200, b"{}")

    world.issuer.metadata = {}
    with pytest.raises(SignInFailed, match="without an ID token"):
        await asking(silent, CLIENT_OF).person({"code": "c", "iss": ISSUER}, BEGUN)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(CLIENT_OF)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://a.example/x", True), ("http://127.0.0.1:8/x", True), ("http://[::1]/", True),
        ("http://localhost/x", True), ("http://a.example/", False), ("https://", False),
        ("ftp://127.0.0.1/", False), ("//a.example", False), ("http://[bad", False),
    ],
)  # fmt: skip
def test_what_nobody_on_the_way_reads(url: str, fits: bool) -> None:
    assert is_private(url) is fits


async def test_a_sign_in_anew_asks_for_what_counts_as_strong(world: World) -> None:
    """A provider that is not asked for it gives the usual, which is then not strong enough."""
    world.issuer.known = replace(world.issuer.known, mfa=frozenset({"gold", "silver"}))
    anew = replace(BEGUN, anew=True)
    asked = parse_qs(urlsplit(await world.provider.address(anew)).query)
    assert (asked["max_age"], asked["prompt"]) == (["0"], ["login"])
    assert asked["acr_values"] == ["gold silver"]
    assert "acr_values" not in await world.provider.address(BEGUN)
    answer = world.issuer.authorize(await world.provider.address(anew))
    with pytest.raises(SignInFailed, match="more than one factor"):
        await world.provider.person(answer, anew)
