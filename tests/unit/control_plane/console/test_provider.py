import asyncio
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.provider import (
    KEPT_MS,
    PAUSE_MS,
    REST_MS,
    Client,
    Provider,
    SignIn,
    challenge_of,
    is_private,
)
from lockgate.model.fetch import Fetched
from support.issuer import CLIENT, ISSUER, SECRET, Issuer

CLIENT_OF = Client(ISSUER, CLIENT, "https://gate.example/console/callback", SECRET)
BEGUN = SignIn("state", "nonce", "v" * 43, 0)


class World:
    def __init__(self) -> None:
        self.issuer = Issuer()
        self.later = 0
        self.provider = Provider(self.issuer, CLIENT_OF, self.now)

    def now(self) -> int:
        return int(time.time() * 1000) + self.later

    async def person(self, **changes: str) -> Any:
        answer = self.issuer.authorize(await self.provider.address(BEGUN))
        return await self.provider.person({**answer, **changes}, BEGUN)


@pytest.fixture
def world() -> World:
    return World()


async def test_where_the_browser_is_sent(world: World) -> None:
    asked = parse_qs(urlsplit(await world.provider.address(BEGUN)).query)
    assert asked["code_challenge"] == [challenge_of(BEGUN.verifier)]
    assert asked["code_challenge_method"] == ["S256"]
    assert (asked["state"], asked["nonce"]) == (["state"], ["nonce"])
    assert BEGUN.verifier not in str(asked)
    world.later += KEPT_MS
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
    world.later += KEPT_MS
    world.issuer.metadata = {"authorization_response_iss_parameter_supported": False}
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

    provider = Provider(fetch, Client("https://id.example/t1/", "c", "r"), lambda: 0)
    with pytest.raises(SignInFailed, match="404"):
        await provider.address(BEGUN)
    assert asked == [
        "https://id.example/t1/.well-known/openid-configuration",
        "https://id.example/.well-known/oauth-authorization-server/t1",
    ]


async def test_description_and_keys_are_kept_for_a_time_and_asked_for_once(world: World) -> None:
    await asyncio.gather(*(world.provider.address(BEGUN) for _ in range(5)))
    await world.person()
    await world.person()
    assert world.issuer.log.count("/.well-known/openid-configuration") == 1
    assert world.issuer.log.count("/jwks") == 1
    world.later += KEPT_MS
    await world.provider.address(BEGUN)
    assert world.issuer.log.count("/.well-known/openid-configuration") == 2


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
    world.later += PAUSE_MS
    assert (await world.person()).sub == "alice"
    assert world.issuer.log.count("/jwks") == 2


async def test_nobody_waits_for_a_provider_that_just_failed(world: World) -> None:
    world.issuer.metadata = {"issuer": "https://evil.example"}
    for _ in range(3):
        with pytest.raises(SignInFailed):
            await world.provider.address(BEGUN)
    assert len(world.issuer.log) == 1
    world.issuer.metadata = {}
    world.later += REST_MS
    assert (await world.provider.address(BEGUN)).startswith(ISSUER)


async def test_a_provider_that_is_down_or_talks_nonsense(world: World) -> None:
    world.issuer.down = True
    with pytest.raises(SignInFailed, match="cannot be asked"):
        await world.provider.address(BEGUN)

    async def nonsense(verb: str, url: str, headers: Any = None, body: bytes = b"") -> Fetched:
        return Fetched(200, b"<html>")

    with pytest.raises(SignInFailed, match="document"):
        await Provider(nonsense, CLIENT_OF, lambda: 0).address(BEGUN)


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
