"""Every answer of the API is what its own description says."""

from typing import Any

import jsonschema_rs
import orjson
import pytest

from lockgate.control_plane.console.api import API, OPERATIONS
from lockgate.control_plane.console.openapi import PATH, document
from lockgate.control_plane.services.duties import PAGES
from lockgate.model.privilege import AdminRole
from support.browser import Answer
from support.console_desk import ConsoleDesk
from support.console_rooms import BROKEN, MAIL, put_call, put_key

DOCUMENT = document()
ALL: tuple[AdminRole, ...] = ("reader", "operator", "responder", "privacy_officer")


def described(answer: Answer, path: str, method: str = "get") -> bool:
    """Whether the document knows such an answer there, and this is one."""
    said = DOCUMENT["paths"][path][method]["responses"][str(answer.status)]
    schema = said["content"][answer.header("content-type")]["schema"]
    whole: dict[str, Any] = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.is_valid(whole, orjson.loads(answer.body))


@pytest.fixture
def desk() -> ConsoleDesk:
    desk = ConsoleDesk()
    put_call(desk, "c1", "hold", "approval.needed", args={"to": ["x"]})
    put_call(desk, "c2", outcome="policy.permitted")
    put_key(desk)
    desk.upstreams = (MAIL, BROKEN)
    return desk


async def test_the_document_is_served_to_anybody(desk: ConsoleDesk) -> None:
    found = await desk.browser().get(PATH)
    assert orjson.loads(found.body) == DOCUMENT
    assert found.header("content-type") == "application/json"


def test_it_is_a_document_of_openapi_with_whole_references() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {f"{API}{path}" for path in DOCUMENT["paths"]} == {
        path for path in PAGES if path.startswith(API) and path != PATH
    }
    names = [operation["operationId"] for at in DOCUMENT["paths"].values()
             for operation in at.values()]  # fmt: skip
    assert len(set(names)) == len(names) == len(OPERATIONS)
    text = orjson.dumps(DOCUMENT).decode()
    for part in text.split('"$ref":"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in DOCUMENT["components"]["schemas"]
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


PLACES = {"/session": 200, "/upstreams": 200, "/upstreams/mail": 200, "/upstreams/none": 404,
          "/calls": 200, "/calls?limit=1": 200, "/calls?limit=0": 400, "/calls?x=1": 400,
          "/calls?decision=maybe": 400, "/calls?cursor=x": 400, "/calls?tool=a&tool=b": 400,
          "/calls/c1": 200, "/calls/none": 404, "/keys": 200, "/keys?state=all": 200,
          "/keys?state=none": 400, "/roles": 200}  # fmt: skip


def template(path: str) -> str:
    plain = path.partition("?")[0]
    for room, name in (("/upstreams/", "{name}"), ("/calls/", "{call}")):
        plain = f"{room}{name}" if plain.startswith(room) else plain
    return plain


@pytest.mark.parametrize(("path", "status"), PLACES.items())
async def test_answers_are_as_described(desk: ConsoleDesk, path: str, status: int) -> None:
    nobody = await desk.browser().get(API + path)
    assert (nobody.status, described(nobody, template(path))) == (401, True)
    browser = await desk.holding(*ALL)
    found = await browser.get(API + path)
    assert found.status == status, found.text
    assert described(found, template(path))
    if PAGES[API + template(path)].roles:
        denied = await (await desk.signed_in("eve")).get(API + path)
        assert (denied.status, described(denied, template(path))) == (403, True)


async def test_what_changes_something_is_as_described(desk: ConsoleDesk) -> None:
    path, place = f"{API}/keys/abcdefghijkl/revoke", "/keys/{id}/revoke"
    browser = await desk.holding(*ALL)
    sent = {"content-type": "application/json", "x-lockgate-token": "x"}
    renewed = await browser.post(path, {}, **sent)
    assert (renewed.status, described(renewed, place, "post")) == (409, True)
    token = orjson.loads((await browser.get(f"{API}/session")).body)["token"]
    for status, headers in ((403, sent), (200, {**sent, "x-lockgate-token": token}),
                            (403, {**sent, "x-lockgate-token": token})):  # fmt: skip
        found = await browser.post(path, {}, **headers)
        assert (found.status, described(found, place, "post")) == (status, True)
    assert desk.keys.list()[0].revoked


async def test_a_store_that_is_down_is_as_described(desk: ConsoleDesk) -> None:
    browser = await desk.holding(*ALL)
    await browser.get(f"{API}/session")
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE event RENAME TO gone")
    found = await browser.get(f"{API}/calls")
    assert (found.status, described(found, "/calls")) == (503, True)
    assert "gone" not in found.text
