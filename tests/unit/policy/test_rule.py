import pytest

from lockgate.policy.rule import Rule, may_fail, read
from lockgate.policy.source import statements

SCOPE = "(principal, action, resource)"
HELD = f'forbid{SCOPE} unless {{ context.approvals.contains("owner") }};'


def of(text: str) -> tuple[Rule | None, list[str]]:
    (statement,) = statements("a.cedar", text)
    return read(statement)


def rule(text: str) -> Rule:
    found, wrong = of(text)
    assert found is not None
    assert wrong == []
    return found


def when(condition: str) -> str:
    return f"permit{SCOPE} when {{ {condition} }};"


def test_reads_what_the_annotations_say() -> None:
    drop = '@drop("/arguments/a /arguments/b~1c/d0")'
    text = f'@id("x") @description("why: because") {drop} permit{SCOPE};'
    found = rule("\n" + text)
    assert (found.id, found.effect, found.file, found.line) == ("x", "permit", "a.cedar", 2)
    assert (found.text, found.description) == (text, "why: because")
    assert found.drop == ("/arguments/a", "/arguments/b~1c/d0")
    assert found.hold == ""
    assert "annotations" not in found.cedar
    assert rule('@hold("owner")' + HELD).hold == "owner"


def test_without_id_the_place_names_a_policy() -> None:
    assert rule(f"permit{SCOPE};").id == "a.cedar:1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("permit(principal, action resource);", "unexpected token"),
        (f"permit{SCOPE}", "unexpected end of input"),
        ("permit(principal == ?principal, action, resource);", "templates"),
        (f'@id("a") @id("b") permit{SCOPE};', "duplicate annotation"),
        (f'@hodl("owner") forbid{SCOPE};', "unknown annotation @hodl"),
        (f"@id permit{SCOPE};", "an @id is"),
        (f'@id("a b") permit{SCOPE};', "an @id is"),
        (f'@id("a\\n") permit{SCOPE};', "an @id is"),
        (f'@id("lockgate.x") permit{SCOPE};', "reserved"),
        (f'@hold("owner") permit{SCOPE};', "@hold belongs on a forbid"),
        ("@hold " + HELD, "@hold names a factor"),
        ('@hold("The Owner") ' + HELD, "@hold names a factor"),
        ('@hold("other") ' + HELD, 'unless { context.approvals.contains("other") }'),
        (f'@hold("owner") forbid{SCOPE};', 'unless { context.approvals.contains("owner") }'),
        ('@drop("/arguments/x") ' + HELD, "@drop belongs on a permit"),
        (f"@drop permit{SCOPE};", "@drop names JSON pointers"),
        (f'@drop("/arguments") permit{SCOPE};', "not a JSON pointer"),
        (f'@drop("/name") permit{SCOPE};', "not a JSON pointer"),
        (f'@drop("/arguments/a~2") permit{SCOPE};', "not a JSON pointer"),
        (f'@drop("/arguments/a/0") permit{SCOPE};', "elements of a list cannot be dropped"),
        (f'@drop("/arguments/a/12/x") permit{SCOPE};', "elements of a list cannot be dropped"),
        (when("(" * 65 + "true" + ")" * 65), "too long or too deeply nested"),
        (when(" && ".join(["principal == resource"] * 90)), "or use a set"),
        (when(" && ".join(["principal == resource"] * 300)), "or use a set"),
    ],
)
def test_says_what_is_wrong(text: str, problem: str) -> None:
    assert any(problem in message for message in of(text)[1])


@pytest.mark.parametrize(
    "condition",
    [
        'Person::"bob".agent == "x"',
        'Person::"bob" has agent',
        'Person::"bob" in Role::"doctor"',
        'Tool::"a" is Tool in Upstream::"a"',
        '(if context.now > 3 then Person::"bob" else Person::"eve").agent == "x"',
    ],
)
def test_nothing_is_known_of_entities_that_are_not_in_the_call(condition: str) -> None:
    assert any("are not known here" in message for message in of(when(condition))[1])


@pytest.mark.parametrize(
    "condition",
    [
        'principal == Person::"bob"',
        'principal in [Role::"a", Role::"b"]',
        'resource in Upstream::"a"',
        '[Person::"a", Person::"b"].contains(principal)',
        'principal is Person in Role::"a"',
    ],
)
def test_naming_an_entity_is_fine(condition: str) -> None:
    rule(when(condition))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("context.now + 1 > 3", True),
        ("context.now - 1 > 3", True),
        ("3 < context.now * 2", True),
        ("-context.now < 3", True),
        ('context.now > 3 && resource.name like "a*"', False),
        ('resource.name == "+"', False),
    ],
)
def test_only_arithmetic_can_fail(condition: str, expected: bool) -> None:
    assert may_fail(rule(when(condition)).cedar) is expected
