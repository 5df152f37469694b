import sys
from typing import Any

import cedarpy
import msgspec
import orjson
import pytest

from lockgate.model import SYSTEM, Call, Principal
from lockgate.policy.entities import (
    ACTIONS,
    LONGEST,
    TASKS,
    Uid,
    action_uid,
    as_policy_sees,
    entities_of,
    item_uid,
    principal_uid,
    resource_uid,
)
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.schema import schema_text
from worlds import ALICE, CLINIC, call, list_call, tool

SCHEMA = cedarpy.Schema.from_str(schema_text(ArgumentMapping()))
ODD = ["", "a", "'", '"', "\\", "a\nb", "\r\t\0", "ü", "\u0301a", "\u202e", "\U000323b0", '"];//']


@pytest.mark.parametrize("method", ACTIONS)
def test_actions_are_named_as_mcp_names_the_methods(method: str) -> None:
    assert action_uid(method) == Uid("Action", method)


@pytest.mark.parametrize("method", ["", "ping", "read", "list", "tools/Call"])
def test_other_methods_are_no_actions(method: str) -> None:
    assert action_uid(method) is None


def test_the_kind_of_principal_is_its_type() -> None:
    assert principal_uid(ALICE) == Uid("Person", "alice")
    assert principal_uid(Principal("service", "ci")) == Uid("Service", "ci")
    assert principal_uid(SYSTEM) == Uid("System", "lockgate")


def test_policy_sees_the_person_and_not_the_credential() -> None:
    other = msgspec.structs.replace(ALICE, credential="k9", on_behalf="person:bob")
    assert as_policy_sees(other) == as_policy_sees(ALICE)
    changes: list[dict[str, Any]] = [
        {"agent": "x"},
        {"roles": frozenset()},
        {"authn": frozenset()},
        {"scopes": frozenset({"clinic.read"})},
        {"owner": "x"},
    ]
    for change in changes:
        changed: Principal = msgspec.structs.replace(ALICE, **change)
        assert as_policy_sees(changed) != as_policy_sees(ALICE)


def of(method: str, target: str, params: bytes = b"{}") -> Uid | None:
    return resource_uid(Call("1", ALICE, method, CLINIC, target, params))


def test_the_resource_is_what_the_method_acts_on() -> None:
    assert resource_uid(call("pay")) == Uid("Tool", "clinic/pay")
    assert of("prompts/get", "p") == Uid("Prompt", "clinic/p")
    assert of("resources/read", "file:///x") == Uid("Resource", "clinic/file:///x")
    assert resource_uid(list_call("resources/templates/list")) == Uid("Upstream", "clinic")
    assert of("elicitation/create", "") == Uid("Upstream", "clinic")


@pytest.mark.parametrize("method", TASKS)
def test_a_task_is_about_the_tool_it_came_from(method: str) -> None:
    asked = Call("1", ALICE, method, CLINIC, "their-task-id", b"{}", tool("pay"))
    assert resource_uid(asked) == Uid("Tool", "clinic/pay")
    assert of(method, "their-task-id") is None


def test_a_completion_is_about_what_it_refers_to() -> None:
    method = "completion/complete"
    prompt, uri = b'{"ref":{"type":"ref/prompt"}}', b'{"ref":{"type":"ref/resource"}}'
    assert of(method, "p", prompt) == Uid("Prompt", "clinic/p")
    assert of(method, "u", uri) == Uid("Resource", "clinic/u")
    for ref in (b"{}", b'{"ref":3}', b'{"ref":{}}', b'{"ref":{"type":[]}}'):
        assert of(method, "p", ref) is None


def test_ids_of_two_upstreams_never_meet() -> None:
    assert item_uid(msgspec.structs.replace(CLINIC, name="a/b"), "Tool", "c") is None


@pytest.mark.parametrize("id", ODD)
def test_cedar_reads_back_every_id_it_was_told_to_print(id: str) -> None:
    uid = Uid("Tool", id)
    policies = cedarpy.policies_to_json_str(f"permit(principal, action, resource == {uid.text()});")
    (rule,) = orjson.loads(policies)["staticPolicies"].values()
    assert rule["resource"]["entity"] == uid.json()


@pytest.mark.parametrize("id", ODD)
def test_odd_names_are_fine_as_entities(id: str) -> None:
    who = msgspec.structs.replace(ALICE, subject=id, roles=frozenset({id}))
    tool = item_uid(CLINIC, "Tool", id)
    assert tool is not None
    found = orjson.loads(str(entities_of(who, CLINIC, tool, SCHEMA)))
    named = {e["uid"]["type"]: e for e in found if e["uid"]["type"] != "Action"}
    assert named["Tool"]["attrs"]["name"] == id
    assert named["Person"]["attrs"]["subject"] == id


def test_entities_carry_what_policies_may_read() -> None:
    tool = Uid("Tool", "clinic/pay")
    sent = msgspec.structs.replace(ALICE, workload="spiffe://clinic.example/desk")
    found = orjson.loads(str(entities_of(sent, CLINIC, tool, SCHEMA)))
    named = {e["uid"]["type"]: e for e in found if e["uid"]["type"] != "Action"}
    shared = {"trust": "internal", "region": "", "data_classes": ["phi"]}
    assert named["Tool"]["attrs"] == {"name": "pay", **shared}
    assert named["Tool"]["parents"] == [{"type": "Upstream", "id": "clinic"}]
    assert named["Upstream"]["attrs"] == {"name": "clinic", **shared}
    assert named["Person"]["parents"] == [{"type": "Role", "id": "doctor"}]
    assert named["Person"]["attrs"] == {
        "subject": "alice",
        "agent": "desk",
        "owner": "alice",
        "authn": ["api_key"],
        "workload": "spiffe://clinic.example/desk",
        "actors": [],
        "acr": "",
        "auth_time": 0,
        "scopes": [],
    }
    scoped: Principal = msgspec.structs.replace(ALICE, scopes=frozenset({"b", "a"}))
    seen = orjson.loads(str(entities_of(scoped, CLINIC, tool, SCHEMA)))
    assert [e["attrs"]["scopes"] for e in seen if e["uid"]["type"] == "Person"] == [["a", "b"]]


def test_an_upstream_is_described_once() -> None:
    found = str(entities_of(ALICE, CLINIC, Uid("Upstream", "clinic"), SCHEMA))
    assert [e["uid"]["type"] for e in orjson.loads(found)].count("Upstream") == 1


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        entities_of(ALICE, CLINIC, Uid("Tool", "clinic/\ud800"), SCHEMA)


def test_a_long_id_is_printed_and_not_remembered() -> None:
    name = "clinic/" + "x" * LONGEST
    before = sys.getrefcount(name)
    assert Uid("Resource", name).text() == f'Resource::"{name}"'
    assert sys.getrefcount(name) == before
