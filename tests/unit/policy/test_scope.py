"""What is left out for a call must be what Cedar would not have let have a say."""

import cedarpy
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import SYSTEM, Principal
from lockgate.policy.entities import ACTIONS, GROUPS, Uid, entities_of
from lockgate.policy.mapping import ArgumentMapping, Request
from lockgate.policy.rule import policy_set
from lockgate.policy.schema import schema_text
from lockgate.policy.scope import fits, reads_time
from worlds import ALICE, CLINIC

SCHEMA = cedarpy.Schema.from_str(schema_text(ArgumentMapping({})))
PEOPLE = (
    ALICE,
    SYSTEM,
    Principal("person", "bob", frozenset({"nurse", "admin"})),
    Principal("service", "alice", frozenset({"admin"})),
)
WHO = (
    "principal", 'principal == Person::"alice"', 'principal == Person::"bob"',
    "principal is Person",
    "principal is System", 'principal in Role::"nurse"', 'principal is Service in Role::"admin"',
    'principal in Person::"bob"', 'principal is Person in Role::"admin"',
)  # fmt: skip
WHAT = (
    "action", 'action == Action::"tools/call"', 'action == Action::"resources/read"',
    'action in [Action::"tools/call", Action::"tools/list"]',
    *(f'action in Action::"{group}"' for group in GROUPS),
)  # fmt: skip
WHICH = (
    "resource", 'resource == Tool::"clinic/pay"', 'resource == Upstream::"clinic"',
    'resource in Upstream::"clinic"', 'resource in Upstream::"other"', "resource is Tool",
    'resource is Resource in Upstream::"clinic"', 'resource is Upstream in Upstream::"clinic"',
)  # fmt: skip
ABOUT = (Uid("Tool", "clinic/pay"), Uid("Resource", "clinic/file:///x"), Uid("Upstream", "clinic"))


def body(text: str) -> dict[str, object]:
    found: dict[str, object] = next(
        iter(orjson.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values())
    )
    return found


@given(
    st.sampled_from(WHO), st.sampled_from(WHAT), st.sampled_from(WHICH), st.sampled_from(PEOPLE),
    st.sampled_from(ACTIONS), st.sampled_from(ABOUT),
)  # fmt: skip
def test_agrees_with_cedar(
    who: str, what: str, which: str, principal: Principal, action: str, resource: Uid
) -> None:
    rule = body(f"permit ({who}, {what}, {which});")
    asked = Request(Uid(principal.kind.title(), principal.subject), Uid("Action", action),
                    resource, {})  # fmt: skip
    # Without a schema: also what the schema rules out must be told apart.
    entities = entities_of(principal, CLINIC, resource, SCHEMA)
    groups = [
        {"uid": Uid("Action", name).json(), "attrs": {},
         "parents": [Uid("Action", g).json() for g, names in GROUPS.items() if name in names]}
        for name in ACTIONS
    ]  # fmt: skip
    whole = entities.with_added_json_str(orjson.dumps(groups).decode())
    said = cedarpy.is_authorized(asked.cedar(asked.context((), 0)), policy_set({"p": rule}), whole)
    fitting = fits(rule, principal, CLINIC, asked.action, resource)
    assert said.allowed is fitting


def test_an_operator_that_is_not_known_fits() -> None:
    rule = body("permit (principal, action, resource);") | {"principal": {"op": "like"}}
    assert fits(rule, ALICE, CLINIC, Uid("Action", "tools/call"), ABOUT[0])


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("true", False),
        ('context.arguments has now && context.approvals.contains("a")', False),
        ('context has arguments && "now" == "now"', True),
        ("context.now > 3", True),
        ('context["now"] > 3', True),
        ("context == {now: 3}", True),
        ("[context].contains({now: 3})", True),
        ("if true then context.now > 3 else false", True),
    ],
)
def test_sees_who_may_look_at_the_clock(condition: str, reads: bool) -> None:
    text = f"permit (principal, action, resource) when {{ {condition} }};"
    assert reads_time(body(text)) is reads
