import cedarpy
import orjson
import pytest

from lockgate.policy.source import MAX_CODE, MAX_NESTING, PolicyInvalid, statements

RULE = "permit(principal, action, resource);"


def texts(text: str) -> list[str]:
    return [s.text for s in statements("f", text)]


@pytest.mark.parametrize("text", ["", " \n", "// nothing; here", "// a\r// b\n"])
def test_no_policy_is_no_statement(text: str) -> None:
    assert texts(text) == []


TRICKY = [
    RULE + RULE,
    f"// a; b\n{RULE} // c;\n{RULE}",
    '@id("x;y") ' + RULE + RULE,
    'permit(principal, action, resource) when { "a\\"; b" == "//" };' + RULE,
    f"permit(principal, action, // ; \n resource);\r\n{RULE}",
    f"// an old comment\r{RULE}// another\r{RULE}",
    'permit(principal, action, resource) when { "a\n;" == "\\\\" };' + RULE,
]


@pytest.mark.parametrize("text", TRICKY)
def test_cuts_where_cedar_does(text: str) -> None:
    whole = orjson.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    parts = [orjson.loads(cedarpy.policies_to_json_str(t))["staticPolicies"] for t in texts(text)]
    assert [p["policy0"] for p in parts] == [whole[f"policy{i}"] for i in range(len(whole))]
    assert len(parts) == 2


def test_says_where_each_begins() -> None:
    text = f'\n// x\n  {RULE}\n\n@id("a")\n{RULE} {RULE}\n permit('
    found = [(s.line, s.column, s.index) for s in statements("f", text)]
    assert found == [(3, 3, 1), (5, 1, 2), (6, 38, 3), (7, 2, 4)]


def test_a_rest_without_semicolon_is_kept_for_cedar_to_refuse() -> None:
    assert texts(RULE + ' permit("') == [RULE, 'permit("']


def test_depth_and_length_are_bounded_but_strings_are_free() -> None:
    def complex_(text: str) -> bool:
        (statement,) = statements("f", text)
        return statement.too_complex

    assert not complex_("(" * MAX_NESTING + ")" * MAX_NESTING + ";")
    assert complex_("(" * (MAX_NESTING + 1) + ")" * (MAX_NESTING + 1) + ";")
    assert complex_("a." * MAX_CODE + ";")
    assert not complex_('["' + "x" * 2 * MAX_CODE + '"];')


@pytest.mark.parametrize("text", ['"' * 50_001, '\\"' * 50_000, "a" * 100_000, "(" * 100_000])
def test_odd_text_is_cut_in_linear_time(text: str) -> None:
    assert len(texts(text)) == 1


def test_problems_say_where_they_are() -> None:
    (statement,) = statements("a.cedar", "\n " + RULE)
    assert "a.cedar:2:2: odd" in str(PolicyInvalid((statement.problem("odd"),)))
