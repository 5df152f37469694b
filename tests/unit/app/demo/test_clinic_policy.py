"""``policies/clinic.cedar`` under the gateway's own schema and entities, decided by Cedar."""

import json
from importlib.resources import files
from typing import Any

import pytest
from cedarpy import Decision, Schema, is_authorized, policies_to_json_str, validate_policies

from lockgate.app.demo.clinic import ClinicTools
from lockgate.model import Call, Principal, Upstream
from lockgate.policy.entities import entities_of
from lockgate.policy.mapping import ArgumentMapping, Request, request_of
from lockgate.policy.schema import schema_text

POLICY = (files("lockgate.app.demo") / "policies" / "clinic.cedar").read_text(encoding="utf-8")
MAPPING = ArgumentMapping({("clinic", "refund"): {"amount": "decimal"}})
SCHEMA = schema_text(MAPPING)
DOCTOR = {"find_patients", "get_patient", "read_notes", "add_note", "export_ward"}
BILLING = {"find_patients", "get_billing", "billing_totals", "update_phone"}
TOOLS = {name for name, value in vars(ClinicTools).items() if name[0] != "_" and callable(value)}
CALL = "tools/call"


def _ask(
    role: str,
    method: str,
    upstream: str,
    target: str = "",
    params: dict[str, Any] | None = None,
    approvals: tuple[str, ...] = (),
) -> bool:
    call = Call(
        id="c",
        principal=Principal(kind="person", subject="alice", roles=frozenset({role})),
        method=method,
        upstream=Upstream(name=upstream),
        target=target,
        params=json.dumps(params or {}).encode(),
    )
    request = request_of(MAPPING, call)
    assert isinstance(request, Request)
    asked = request.cedar(request.context(approvals, now=0))
    entities = entities_of(call.principal, call.upstream, request.resource, Schema.from_str(SCHEMA))
    answer = is_authorized(asked, POLICY, entities, schema=SCHEMA)
    assert not answer.diagnostics.errors
    return answer.decision is Decision.Allow


def _permitted(role: str) -> set[str]:
    return {tool for tool in TOOLS if _ask(role, CALL, "clinic", tool)}


def test_it_is_valid_under_the_schema() -> None:
    result = validate_policies(POLICY, SCHEMA)
    assert result.validation_passed, [str(e) for e in result.errors]


def test_every_policy_has_an_id_of_its_own_and_every_forbid_a_hold() -> None:
    policies = json.loads(policies_to_json_str(POLICY))["staticPolicies"].values()
    ids = [p["annotations"]["id"] for p in policies]
    assert len(set(ids)) == len(ids)
    forbids = [p for p in policies if p["effect"] == "forbid"]
    assert [p["annotations"].get("hold") for p in forbids] == ["acting-person", "owner"]


def test_each_role_has_its_own_tools_and_others_none() -> None:
    assert _permitted("doctor") == DOCTOR
    assert _permitted("billing") == BILLING
    assert _permitted("porter") == set()


@pytest.mark.parametrize(
    ("arguments", "permitted"),
    [
        ({"amount": 0.01}, True),
        ({"amount": 100}, True),
        ({"amount": 100.00}, True),
        ({"amount": 100.01}, False),
        ({"amount": None}, False),
        ({}, False),
    ],
)
def test_billing_refunds_up_to_a_hundred(arguments: dict[str, Any], permitted: bool) -> None:
    params = {"arguments": arguments}
    assert _ask("billing", CALL, "clinic", "refund", params) is permitted
    assert not _ask("doctor", CALL, "clinic", "refund", params)


@pytest.mark.parametrize("role", ["doctor", "billing"])
def test_deleting_needs_the_owner(role: str) -> None:
    def delete(who: str, *approvals: str) -> bool:
        return _ask(who, CALL, "clinic", "delete_patient", approvals=approvals)

    assert not delete(role)
    assert not delete(role, "peer")
    assert delete(role, "owner")
    assert not delete("porter", "owner")


@pytest.mark.parametrize("role", ["doctor", "billing"])
def test_staff_may_tell_the_time_and_read_git_only(role: str) -> None:
    assert _ask(role, CALL, "time", "convert_time")
    assert _ask(role, CALL, "git", "git_log")
    assert not _ask(role, CALL, "git", "git_commit")
    assert not _ask(role, CALL, "fetch", "fetch")


@pytest.mark.parametrize(
    "method", ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]
)
def test_staff_may_list(method: str) -> None:
    for role in ("doctor", "billing"):
        for upstream in ("clinic", "time", "git"):
            assert _ask(role, method, upstream)
        assert not _ask(role, method, "fetch")
    assert not _ask("porter", method, "clinic")


@pytest.mark.parametrize(
    ("method", "target", "params"),
    [
        ("resources/read", "clinic://patients/p-001", {}),
        ("prompts/get", "discharge_summary", {}),
        ("completion/complete", "discharge_summary", {"ref": {"type": "ref/prompt"}}),
        (
            "completion/complete",
            "clinic://patients/{patient_id}",
            {"ref": {"type": "ref/resource"}},
        ),
    ],
)
def test_only_doctors_read_resources_and_prompts(
    method: str, target: str, params: dict[str, Any]
) -> None:
    assert _ask("doctor", method, "clinic", target, params)
    assert not _ask("billing", method, "clinic", target, params)
    assert not _ask("doctor", method, "git", target, params)
