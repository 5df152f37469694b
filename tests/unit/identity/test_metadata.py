import pytest

from lockgate.identity.metadata import Metadata, places
from lockgate.model.fetch import FetchFailed
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import OwnIssuer


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
        metadata = Metadata(Fetcher(lambda: Reach(internal=frozenset({own.url}))))
        with pytest.raises(FetchFailed, match=why):
            await metadata.keys_url(own.issuer)
