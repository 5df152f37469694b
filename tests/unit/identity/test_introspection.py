from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lockgate.identity.access_token import Accepted
from lockgate.identity.introspection import KNOWN_SECONDS, REFUSED_SECONDS, Introspector
from lockgate.identity.issuer import Introspection, Issuer
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.profiles import PROFILES
from lockgate.model.fetch import Fetched, FetchFailed
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import NOW, OwnIssuer

Json = dict[str, Any]


@pytest.fixture
async def own() -> AsyncIterator[OwnIssuer]:
    async with OwnIssuer().serving() as made:
        yield made


async def ask(own: OwnIssuer, path: str = "/introspect") -> Accepted:
    place = Introspection(f"{own.url}{path}", "gate", "s p+c")
    issuer = msgspec.structs.replace(own.issuer, introspection=place)
    fetch = Fetcher(lambda: Reach(internal=frozenset({own.url})))
    return await Introspector(fetch).ask("opaque", issuer, NOW)


async def test_what_the_issuer_says_of_it_is_what_it_says(own: OwnIssuer) -> None:
    own.active["opaque"] = {"active": True, **own.claims(scope="mcp.use")}
    found = await ask(own)
    assert found.principal.scopes == {"mcp.use"}
    assert found.expires == NOW + KNOWN_SECONDS, "a revocation is seen that soon"


async def test_it_is_never_known_longer_than_it_lasts(own: OwnIssuer) -> None:
    own.active["opaque"] = {"active": True, **own.claims(exp=NOW + 3)}
    assert (await ask(own)).expires == NOW + 3


@pytest.mark.parametrize(
    "said",
    [
        {}, {"active": False}, {"active": "true"}, {"active": 1},
        {"active": True, "iss": "https://mallory.example"}, {"active": True, "exp": None},
        {"active": True, "exp": NOW - 1}, {"active": True, "sub": None},
        {"active": True, "token_use": "refresh_token"}, {"active": True, "typ": "Refresh"},
    ],
)  # fmt: skip
async def test_anything_but_a_clear_yes_is_no(own: OwnIssuer, said: Json) -> None:
    whole = {**own.claims(), **said} if said.get("active") is True else said
    own.active["opaque"] = {name: value for name, value in whole.items() if value is not None}
    with pytest.raises(NotAccepted):
        await ask(own)


async def test_what_was_refused_is_not_asked_about_again_at_once(own: OwnIssuer) -> None:
    place = Introspection(f"{own.url}/introspect", "gate", "s")
    issuer = msgspec.structs.replace(own.issuer, introspection=place)
    introspector = Introspector(Fetcher(lambda: Reach(internal=frozenset({own.url}))))
    for later, asked in ((0.0, 1), (REFUSED_SECONDS - 1, 1), (REFUSED_SECONDS, 2)):
        with pytest.raises(NotAccepted):
            await introspector.ask("opaque", issuer, NOW + later)
        assert len(own.asked) == asked


async def test_where_nobody_answers_nobody_knows(own: OwnIssuer) -> None:
    with pytest.raises(FetchFailed, match="404"):
        await ask(own, path="/elsewhere")
    own.down = True
    with pytest.raises(FetchFailed, match="503"):
        await ask(own)


async def test_without_a_place_to_ask_it_is_no_token() -> None:
    own = OwnIssuer()
    with pytest.raises(NotAccepted):
        await Introspector(Fetcher(Reach)).ask("x", own.issuer, NOW)


class Tokeninfo:
    """Google's, as documented: numbers are text, and 400 means no."""

    def __init__(self) -> None:
        self.status = 200
        self.sent = b""

    async def __call__(self, verb: str, url: str, headers: Any = None, body: bytes = b"") -> Any:
        from_it = {
            "azp": "desk", "aud": "web-1", "sub": "113", "scope": "openid email",
            "exp": str(NOW + 900), "expires_in": "900", "email": "a@example.org",
        }  # fmt: skip
        self.sent = body
        return Fetched(self.status, msgspec.json.encode(from_it))


async def test_google_is_asked_in_its_own_way() -> None:
    info = Tokeninfo()
    place = Introspection("https://oauth2.googleapis.com/tokeninfo")
    google = Issuer("google", "https://accounts.google.com", PROFILES["google"],
                    introspection=place)  # fmt: skip
    found = await Introspector(info).ask("ya29.x", google, NOW)
    assert info.sent == b"access_token=ya29.x"
    assert (found.principal.agent, *found.audiences) == ("desk", "web-1")
    info.status = 400
    with pytest.raises(NotAccepted):
        await Introspector(info).ask("ya29.x", google, NOW)
