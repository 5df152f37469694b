import cedarpy
import pytest

from lockgate.policy.entities import ACTIONS
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.schema import schema_text

MAPPING = ArgumentMapping(
    {
        ("a", "x"): {"s": "string", "n": "long", "d": "decimal"},
        ("b", "y"): {"b": "bool", "patient id": "strings", "ü": "string"},
    }
)


def errors(policy: str) -> list[str]:
    return [e.error for e in cedarpy.validate_policies(policy, schema_text(MAPPING)).errors]


@pytest.mark.parametrize(
    "condition",
    [
        'context.arguments has s && context.arguments.s == "x"',
        "context.arguments has n && context.arguments.n > 3",
        'context.arguments has d && context.arguments.d.lessThan(decimal("1.5"))',
        "context.arguments has b && context.arguments.b",
        'context.arguments has "patient id" && context.arguments["patient id"].contains("x")',
        'context.arguments has "ü" && context.arguments["ü"] like "x*"',
        'context.approvals.contains("owner") && context.now > 3',
        'resource.trust == "untrusted" || resource.data_classes.contains("phi")',
        'principal.agent == "desk" && principal.authn.contains("mfa")',
        'principal.workload == "spiffe://clinic.example/desk"',
        'principal.scopes.contains("clinic.read") || principal.scopes.isEmpty()',
    ],
)
def test_every_word_can_be_used_over_all_principals_actions_and_resources(condition: str) -> None:
    assert errors(f"permit(principal, action, resource) when {{ {condition} }};") == []


def test_an_argument_may_be_absent() -> None:
    assert errors('permit(principal, action, resource) when { context.arguments.s == "x" };')


def test_what_is_not_mapped_has_no_word() -> None:
    assert errors("permit(principal, action, resource) when { context.arguments.zz > 3 };")
    assert errors('permit(principal, action == Action::"ping", resource);')


@pytest.mark.parametrize("method", ACTIONS)
def test_every_method_is_an_action(method: str) -> None:
    assert errors(f'permit(principal, action == Action::"{method}", resource);') == []


def test_methods_are_grouped() -> None:
    read_prompt = 'permit(principal, action in Action::"read", resource is Prompt);'
    list_tool = 'permit(principal, action in Action::"list", resource is Tool);'
    assert errors(read_prompt) == []
    assert errors(list_tool)
    assert errors('permit(principal, action in Action::"task", resource is Tool);') == []
    assert errors('permit(principal, action in Action::"task", resource is Upstream);')
    assert errors('permit(principal, action in Action::"ask", resource is Upstream);') == []


def test_the_order_of_the_mapping_does_not_matter() -> None:
    turned = ArgumentMapping(dict(reversed(list(MAPPING.tools.items()))))
    assert schema_text(turned) == schema_text(MAPPING)
