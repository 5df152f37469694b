import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from joserfc.jwk import ECKey, OctKey

from lockgate.identity.issuer import Issuer
from lockgate.identity.key_sets import (
    LEAST_SECONDS,
    REFRESH_SECONDS,
    STALE_SECONDS,
    KeySets,
    KeysUnknown,
)
from lockgate.identity.metadata import Metadata
from lockgate.identity.profiles import PROFILES
from lockgate.upstream.fetch import Fetcher, Reach
from support.tokens import OwnIssuer


class World:
    now = 1_000.0

    def __init__(self, own: OwnIssuer) -> None:
        self.own = own
        fetch = Fetcher(lambda: Reach(internal=frozenset({own.url})))
        read = lambda path: Path(path).read_bytes()  # noqa: E731
        self.sets = KeySets(fetch, read, Metadata(fetch, lambda: self.now), lambda: self.now)

    async def finds(self, key_id: str, issuer: Issuer | None = None) -> bool:
        return await self.sets.find(issuer or self.own.issuer, key_id) is not None

    @property
    def fetched(self) -> int:
        return self.own.asked.count("/jwks")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with OwnIssuer().serving() as own:
        yield World(own)


async def test_keys_are_found_where_the_metadata_says_and_asked_for_once(world: World) -> None:
    for _ in range(3):
        assert await world.finds("rsa-1")
    assert world.fetched == 1


async def test_many_who_wait_share_one_fetch(world: World) -> None:
    found = await asyncio.gather(*(world.finds("rsa-1") for _ in range(20)))
    assert all(found)
    assert world.fetched == 1


async def test_a_new_key_is_found_and_an_old_one_goes(world: World) -> None:
    assert await world.finds("rsa-1")
    world.own.keys = [ECKey.generate_key("P-256", {"kid": "ec-2"})]
    world.now += LEAST_SECONDS
    assert await world.finds("ec-2")
    assert not await world.finds("rsa-1")


async def test_a_flood_of_unknown_key_ids_is_one_fetch_a_while(world: World) -> None:
    for number in range(100):
        assert not await world.finds(f"unknown-{number}")
    assert world.fetched == 1
    world.now += LEAST_SECONDS
    assert not await world.finds("unknown")
    assert world.fetched == 2


async def test_keys_are_fetched_again_in_the_background(world: World) -> None:
    assert await world.finds("rsa-1")
    world.now += REFRESH_SECONDS + 1
    assert await world.finds("rsa-1")
    reading = world.sets._held[world.own.url].reading
    assert reading is not None
    await reading
    assert world.fetched == 2


async def test_an_issuer_that_is_down_is_trusted_for_a_day_and_no_longer(world: World) -> None:
    assert await world.finds("rsa-1")
    world.own.down = True
    world.now += STALE_SECONDS
    assert await world.finds("rsa-1")
    world.now += LEAST_SECONDS
    with pytest.raises(KeysUnknown):
        await world.finds("rsa-1")
    world.own.down = False
    world.now += LEAST_SECONDS
    assert await world.finds("rsa-1")


async def test_without_an_id_there_may_be_but_one_key(world: World) -> None:
    assert await world.finds("")
    world.own.keys.append(ECKey.generate_key("P-256", {"kid": "ec-2"}))
    world.sets.forget()
    world.now += LEAST_SECONDS
    assert not await world.finds("")
    world.own.keys.pop()


async def test_symmetric_and_encryption_keys_are_none(world: World) -> None:
    world.own.keys = [
        OctKey.generate_key(256, {"kid": "oct"}),
        ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"}),
        ECKey.generate_key("P-256", {"kid": "good"}),
    ]
    assert await world.finds("good")
    assert not await world.finds("oct")
    assert not await world.finds("enc")


async def test_metadata_of_another_issuer_is_not_believed(world: World) -> None:
    world.own.metadata["issuer"] = "https://mallory.example"
    with pytest.raises(KeysUnknown, match="another issuer"):
        await world.finds("rsa-1")


async def test_metadata_may_not_send_us_elsewhere(world: World) -> None:
    world.own.metadata["jwks_uri"] = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(KeysUnknown, match="not among the origins"):
        await world.finds("rsa-1")


async def test_a_file_needs_no_network(world: World, tmp_path: Path) -> None:
    place = tmp_path / "keys.json"
    keys = {"keys": [key.as_dict(private=False) for key in world.own.keys]}
    place.write_bytes(orjson.dumps(keys))
    apart = Issuer("corp", "https://apart.example", PROFILES["generic"], keys_file=str(place))
    assert await world.finds("rsa-1", apart)
    assert not world.own.asked


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys":[]}', b'{"keys":[1,{"kty":"oct"}]}'])
async def test_a_file_without_keys_says_nothing(
    world: World, tmp_path: Path, content: bytes
) -> None:
    place = tmp_path / "keys.json"
    place.write_bytes(content)
    apart = Issuer("corp", "https://apart.example", PROFILES["generic"], keys_file=str(place))
    with pytest.raises(KeysUnknown):
        await world.finds("rsa-1", apart)
