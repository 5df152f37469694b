import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.desk import Answer, Desk
from support.guarded import GuardedEndpoint
from support.upstream_endpoint import serving

OLD, NEW = "canary-old-credential", "canary-new-credential"


@pytest.fixture
async def shop() -> AsyncIterator[tuple[GuardedEndpoint, str]]:
    endpoint = GuardedEndpoint(OLD)
    async with serving(endpoint) as url:
        yield endpoint, url


@pytest.fixture
def house(desk: Desk, shop: tuple[GuardedEndpoint, str]) -> Desk:
    """The desk, with one secret in a file and one in a variable that is not set."""
    (desk.root / "token").write_text(f"{OLD}\n")
    desk.configure(f"""
upstreams:
  shop: {{url: "{shop[1]}", headers: {{Authorization: "Bearer file:token"}}}}
  clinic: {{command: clinic, env: {{TOKEN: "env:NOT_SET_ANYWHERE"}}}}
""")
    return desk


async def typed(desk: Desk, *words: str, answer: str = "") -> Answer:
    found = await asyncio.to_thread(desk.type, "secrets", *words, answer=answer)
    for canary in (OLD, NEW):
        assert canary not in found.out + found.err
    return found


def reference(desk: Desk) -> str:
    return f"file:{desk.root}/token"


async def test_status(house: Desk) -> None:
    found = await typed(house, "status")
    assert found.code == 1
    assert "NOT_SET_ANYWHERE is not set" in found.out
    assert reference(house) in found.out
    rows: Any = (await typed(house, "status", "--json")).json
    assert {row["reference"]: row["state"] for row in rows}["env:NOT_SET_ANYWHERE"] == "failing"
    assert rows[1]["consumers"] == [
        {"setting": "upstreams.shop.headers.Authorization", "upstream": "shop"}
    ]


async def test_nothing_wrong_is_code_0(desk: Desk) -> None:
    desk.configure("upstreams: {}")
    found = await typed(desk, "status")
    assert (found.code, found.out) == (0, "")
    assert "names no secret" in found.err


async def test_probe(house: Desk, shop: tuple[GuardedEndpoint, str]) -> None:
    found = await typed(house, "probe", reference(house))
    assert (found.code, "shop: accepted" in found.out) == (0, True)
    shop[0].accept()
    found = await typed(house, "probe", "--all", "--json")
    rows: Any = found.json
    assert (found.code, [row["result"] for row in rows]) == (1, ["failing", "refused"])
    assert (await typed(house, "probe", "--all")).code == 1


async def test_which_one_is_to_be_said(house: Desk) -> None:
    assert (await typed(house, "probe")).code == 2
    assert (await typed(house, "probe", "env:OTHER")).code == 3


async def test_rotate(house: Desk, shop: tuple[GuardedEndpoint, str]) -> None:
    shop[0].accept(NEW)
    found = await typed(house, "rotate", reference(house), answer=f"{NEW}\n")
    assert (found.code, "is refused" in found.out) == (0, True)
    assert (house.root / "token").read_text() == f"{NEW}\n"


async def test_an_old_one_that_still_works_is_code_1_and_loud(
    house: Desk, shop: tuple[GuardedEndpoint, str]
) -> None:
    shop[0].accept(OLD, NEW)
    (house.root / "new").write_text(f"{NEW}\n")
    found = await typed(house, "rotate", reference(house), "--file", str(house.root / "new"))
    assert (found.code, "OLD CREDENTIAL STILL WORKS" in found.out) == (1, True)


async def test_rotate_in_json(house: Desk, shop: tuple[GuardedEndpoint, str]) -> None:
    found = await typed(house, "rotate", reference(house), "--json", answer=NEW)
    said: Any = found.json
    assert (found.code, said["result"]) == (1, "restored")
    assert said["new"] == [{"upstream": "shop", "outcome": "refused", "detail": "HTTP 401"}]
    assert (house.root / "token").read_text() == f"{OLD}\n"


async def test_nothing_given_changes_nothing(house: Desk) -> None:
    assert (await typed(house, "rotate", reference(house))).code == 3
