import asyncio

import pytest

from lockgate.identity.metadata import KEPT_SECONDS, REST_SECONDS, Metadata, places
from lockgate.model.fetch import FetchFailed
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import OwnIssuer


def fetcher(own: OwnIssuer) -> Fetcher:
    return Fetcher(lambda: Reach(internal=frozenset({own.url})))


def test_it_is_looked_for_in_the_order_of_the_specification() -> None:
    assert list(places("https://a.example")) == [
        "https://a.example/.well-known/oauth-authorization-server",
        "https://a.example/.well-known/openid-configuration",
    ]
    assert list(places("https://a.example/t/1/")) == [
        "https://a.example/.well-known/oauth-authorization-server/t/1",
        "https://a.example/.well-known/openid-configuration/t/1",
        "https://a.example/t/1/.well-known/openid-configuration",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [({"jwks_uri": None}, "no keys"), ({"issuer": None}, "another issuer"), (None, "no metadata")],
)
async def test_what_does_not_say_where_the_keys_are_says_so(said: object, why: str) -> None:
    async with OwnIssuer().serving() as own:
        if isinstance(said, dict):
            own.metadata |= said
        own.down = said is None
        metadata = Metadata(fetcher(own), lambda: 0.0)
        with pytest.raises(FetchFailed, match=why):
            await metadata.keys_url(own.issuer)


async def test_it_is_kept_for_a_while_and_asked_for_once() -> None:
    now = 0.0
    async with OwnIssuer().serving() as own:
        metadata = Metadata(fetcher(own), lambda: now)
        said = await asyncio.gather(*(metadata.document(own.url) for _ in range(9)))
        assert {one["issuer"] for one in said} == {own.url}
        asked = "/.well-known/openid-configuration"
        assert own.asked.count(asked) == 1
        now += KEPT_SECONDS
        await metadata.document(own.url)
        assert own.asked.count(asked) == 2
        metadata.forget()
        await metadata.document(own.url)
        assert own.asked.count(asked) == 3


async def test_nobody_waits_for_an_issuer_that_just_failed() -> None:
    now = 0.0
    async with OwnIssuer().serving() as own:
        metadata = Metadata(fetcher(own), lambda: now)
        own.down = True
        for _ in range(3):
            with pytest.raises(FetchFailed):
                await metadata.document(own.url)
        assert len(own.asked) == 2, "each place once"
        own.down = False
        now += REST_SECONDS
        assert await metadata.keys_url(own.issuer) == f"{own.url}/jwks"
