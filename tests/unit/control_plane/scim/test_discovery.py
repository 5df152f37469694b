from typing import Any

import pytest

from support.scim import GROUP, USER, Provider

EMPLOYEE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


async def told(path: str) -> Any:
    answer = await Provider().send("GET", path)
    assert answer.status == 200
    return answer.json


async def test_the_service_says_what_it_can() -> None:
    config = await told("/ServiceProviderConfig")
    assert config["patch"] == {"supported": True}
    assert config["filter"] == {"supported": True, "maxResults": 200}
    assert not config["bulk"]["supported"]
    assert [s["type"] for s in config["authenticationSchemes"]] == ["oauthbearertoken"]


async def test_types_and_schemas_are_listed_and_told_one_by_one() -> None:
    types = (await told("/ResourceTypes"))["Resources"]
    assert [t["id"] for t in types] == ["User", "Group"]
    assert (await told("/ResourceTypes/Group"))["schema"] == GROUP
    assert {s["id"] for s in (await told("/Schemas"))["Resources"]} == {USER, GROUP, EMPLOYEE}
    names = {a["name"] for a in (await told(f"/Schemas/{USER}"))["attributes"]}
    assert names == {"userName", "active", "groups"}, "nothing more is kept of a person"


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes/User"])
async def test_they_are_only_read(path: str) -> None:
    assert (await Provider().send("POST", path, {})).status == 405


@pytest.mark.parametrize("path", ["/Schemas/nothing", "/ResourceTypes/nothing", "/Bulk"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    assert (await Provider().send("GET", path)).status == 404
