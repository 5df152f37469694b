import sys
from typing import Any

import orjson
import pytest

from lockgate.model.call import EraName
from lockgate.wire.capabilities import NOTHING, asks_of, declares, takes_tasks, towards

FULL: dict[str, Any] = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}},
    "roots": {"listChanged": True},
    "extensions": {
        "io.modelcontextprotocol/tasks": {},
        "io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]},
    },
}
UI = "io.modelcontextprotocol/ui"
FORM = {"mode": "form", "message": "?"}


def asks(capabilities: Any) -> bytes:
    return asks_of(orjson.dumps(capabilities))


def told(client: EraName, upstream: EraName, capabilities: Any = None) -> Any:
    said = FULL if capabilities is None else capabilities
    return orjson.loads(towards(asks(said), client, upstream))


@pytest.mark.parametrize(
    ("declared", "carried"),
    [
        ({}, {}),
        (FULL, FULL),
        ({"elicitation": {}}, {"elicitation": {"form": {}}}),
        ({"elicitation": {"url": {}}}, {"elicitation": {"url": {}}}),
        ({"elicitation": True, "roots": None, "sampling": []}, {}),
        ({"experimental": {"x": 1}, "tasks": {"list": {}}}, {}),
        ({"extensions": {"acme/x": {}}}, {}),
        ({"extensions": []}, {}),
        ({"elicitation": {"form": {"say": "x"}, "say": "x"}}, {"elicitation": {"form": {}}}),
        ({"sampling": {"tools": {"say": "x"}}}, {"sampling": {"tools": {}}}),
        ({"roots": {"listChanged": False, "say": "x"}}, {"roots": {}}),
        ({"extensions": {UI: {"mimeTypes": ["x", {}], "say": "x"}}}, {"extensions": {UI: {}}}),
        ({"extensions": {UI: "x"}}, {"extensions": {UI: {}}}),
    ],
)
def test_of_what_a_client_declares_only_that_is_kept_which_is_carried(
    declared: Any, carried: Any
) -> None:
    assert orjson.loads(asks(declared)) == carried


def test_megabytes_that_a_client_declares_are_not_remembered() -> None:
    said = orjson.dumps({"roots": {}, "experimental": {"x": "x" * 2**20}})
    before = sys.getrefcount(said)
    assert asks_of(said) == b'{"roots":{}}'
    assert sys.getrefcount(said) == before


def test_the_same_capabilities_have_one_spelling() -> None:
    one = asks_of(b'{"roots":{},"elicitation":{}}')
    other = asks_of(b' { "elicitation" : {"form" : {}}, "experimental":{}, "roots":{} } ')
    assert one == other == b'{"elicitation":{"form":{}},"roots":{}}'
    assert asks_of(b'{"experimental":{}}') == NOTHING


def test_an_upstream_of_the_clients_era_is_told_all_that_is_carried() -> None:
    tasks = {"io.modelcontextprotocol/tasks"}
    ui = {k: v for k, v in FULL["extensions"].items() if k not in tasks}
    assert told("modern", "modern") == FULL | {"roots": {}}
    assert told("legacy", "legacy") == FULL | {"extensions": ui}


@pytest.mark.parametrize(("client", "upstream"), [("legacy", "modern"), ("modern", "legacy")])
def test_sampling_roots_and_tasks_do_not_cross_eras(client: EraName, upstream: EraName) -> None:
    said = told(client, upstream)
    assert said["elicitation"] == FULL["elicitation"]
    assert said.keys() == {"elicitation", "extensions"}
    assert said["extensions"].keys() == {"io.modelcontextprotocol/ui"}
    assert told(client, upstream, {"extensions": {"io.modelcontextprotocol/tasks": {}}}) == {}


def test_who_declares_nothing_is_asked_nothing() -> None:
    assert towards(NOTHING, "modern", "modern") == NOTHING
    assert not declares(NOTHING, "elicitation/create", FORM)


@pytest.mark.parametrize(
    ("declared", "method", "params", "takes"),
    [
        ({"elicitation": {}}, "elicitation/create", FORM, True),
        ({"elicitation": {}}, "elicitation/create", {"message": "?"}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, True),
        ({"elicitation": {"url": {}}}, "elicitation/create", FORM, False),
        ({"elicitation": {}}, "elicitation/create", {"mode": "fax"}, False),
        ({"elicitation": {}}, "elicitation/create", {"mode": ["form"]}, False),
        ({"sampling": {}}, "sampling/createMessage", {"messages": []}, True),
        ({"sampling": {}}, "sampling/createMessage", {"tools": []}, False),
        ({"sampling": {}}, "sampling/createMessage", {"toolChoice": {}}, False),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {"tools": []}, True),
        ({"roots": {}}, "roots/list", {}, True),
        ({"roots": {}}, "sampling/createMessage", {}, False),
        ({"roots": {}}, "files/read", {}, False),
    ],
)
def test_a_client_takes_what_it_declared(
    declared: Any, method: str, params: Any, takes: bool
) -> None:
    assert declares(asks(declared), method, params) is takes


def test_tasks_are_taken_by_who_declares_the_extension() -> None:
    assert takes_tasks(asks(FULL))
    assert not takes_tasks(asks({"tasks": {}, "extensions": {"io.modelcontextprotocol/ui": {}}}))
    assert not takes_tasks(NOTHING)
