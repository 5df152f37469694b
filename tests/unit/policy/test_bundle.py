import pytest

from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.source import PolicyInvalid

MAPPING = ArgumentMapping({("clinic", "pay"): {"amount": "decimal"}})
RULE = '@id("{}") permit(principal, action, resource);\n'
SMALL = (
    '@id("{}") permit(principal, action, resource) when '
    '{{ context.arguments has amount && context.arguments.amount.lessThan(decimal("9.0")) }};'
)


def problems(**texts: str) -> list[tuple[str, int, str]]:
    with pytest.raises(PolicyInvalid) as refused:
        PolicyBundle.compile(texts, MAPPING)
    return [(p.file, p.line, p.what) for p in refused.value.problems]


def hash_of(mapping: ArgumentMapping = MAPPING, **texts: str) -> str:
    return PolicyBundle.compile(texts, mapping).hash


def test_policies_go_by_their_ids() -> None:
    bundle = PolicyBundle.compile({"a": RULE.format("x"), "b": SMALL.format("y")}, MAPPING)
    assert set(bundle.rules) == {"lockgate.system-lists", "x", "y"}
    assert len(bundle.policies) == 3


def test_an_empty_set_is_legal() -> None:
    assert set(PolicyBundle.compile({}, MAPPING).rules) == {"lockgate.system-lists"}


def test_every_problem_is_found_with_its_place() -> None:
    found = problems(
        a="permit(principal, action resource);\n\n" + RULE.format("x"),
        b=RULE.format("y") + 'permit(principal, action, resource) when { context.now == "a" };',
        c=RULE.format("x"),
    )
    assert [place[:2] for place in found] == [("a", 1), ("b", 2), ("c", 1)]
    assert "unexpected token" in found[0][2]
    assert "Long and String" in found[1][2]
    assert found[2][2] == "the id 'x' is taken by a:3"


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("permit(principal, action, resource) when { principal.clearance > 3 };", "clearance"),
        ('permit(principal, action == Action::"tools/cal", resource);', "tools/cal"),
        ("permit(principal is User, action, resource);", "User"),
        ("permit(principal is Tool, action, resource);", "scope"),
        ("permit(principal, action, resource) when { context.arguments.amount == 3 };", "optional"),
    ],
)
def test_policies_are_strictly_validated(policy: str, problem: str) -> None:
    assert any(problem in what and "policy0" not in what for _, _, what in problems(a=policy))


def test_an_id_cannot_take_a_place() -> None:
    taken = problems(
        a='@id("a:2") ' + RULE.format("x")[9:] + "permit(principal, action, resource);"
    )
    assert taken == [("a", 2, "the id 'a:2' is taken by a:1")]


def test_the_hash_ignores_layout_and_the_order_of_files() -> None:
    plain = hash_of(a=RULE.format("x"), b=SMALL.format("y"))
    assert hash_of(b="// moved\n" + RULE.format("x"), a=SMALL.format("y")) == plain
    assert hash_of(one=SMALL.format("y") + "\n\n" + RULE.format("x")) == plain


def test_the_hash_covers_whatever_decides() -> None:
    held = (
        '@id("h") @hold("{}") forbid(principal, action, resource) '
        'unless {{ context.approvals.contains("a") || context.approvals.contains("b") }};'
    )
    wider = ArgumentMapping({**MAPPING.tools, ("clinic", "bill"): {"amount": "decimal"}})
    hashes = [
        hash_of(),
        hash_of(a=RULE.format("x")),
        hash_of(a=RULE.format("y")),
        hash_of(a='@drop("/arguments/z") ' + RULE.format("x")),
        hash_of(a=held.format("a")),
        hash_of(a=held.format("b")),
        hash_of(wider),
        hash_of(ArgumentMapping()),
    ]
    assert len(set(hashes)) == len(hashes)


def test_allow_all_says_that_it_is_unsafe() -> None:
    assert "lockgate.unsafe-allow-all" in PolicyBundle.unsafe_allow_all(MAPPING).rules
