import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lockgate.app.yaml_tree import YamlInvalid, read_tree


def test_values_and_places() -> None:
    tree = read_tree('a:\n  b: [1, x, "2"]\n  c: true\nd: 1.5\n')
    assert tree.value == {"a": {"b": [1, "x", "2"], "c": True}, "d": 1.5}
    assert tree.place(("a", "b", 1)) == (2, 10)
    assert tree.place(("a", "c"), key=True) == (3, 3)
    assert tree.place(("a", "c")) == (3, 6)


def test_what_is_absent_stands_where_its_parent_does() -> None:
    tree = read_tree("a:\n  b: 1\n")
    assert tree.place(("a", "gone")) == (1, 1)
    assert tree.place(("gone",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("on", "on"), ("0777", 777), ("~", None), ("", None), ("012_3", "012_3"),
     (".inf", ".inf"), ("'1'", "1"), ("2026-01-02", "2026-01-02"), ("1e5", 1e5),
     ("1e999", "1e999")],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read_tree(f"a: {text}").value == {"a": value}


@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "written twice; first on line 1", (3, 1)),
        ("a: &x 1\n", "anchors", (1, 4)),
        ("a: *x\n", "anchors", (1, 4)),
        ("a: !!python/object:os.system x\n", "tags", (1, 4)),
        ("a: 1\n--- \nb: 2\n", "second document", (2, 1)),
        ("? [a]\n: 1\n", "plain text", (1, 3)),
        ("a:\n\t- 1\n", "not valid YAML", (2, 1)),
        ("a: [1\n", "not valid YAML", (2, 1)),
        ("a: \x07", "not allow", (1, 4)),
        ('a: "\\ud800"', "control character", (1, 4)),
        ("[" * 100, "too deeply", (1, 33)),
    ],
)
def test_refusals_have_a_place(text: str, says: str, place: tuple[int, int]) -> None:
    with pytest.raises(YamlInvalid) as caught:
        read_tree(text)
    assert says in caught.value.what
    assert caught.value.place == place


def test_great_depth_is_refused_not_a_stack_overflow() -> None:
    with pytest.raises(YamlInvalid, match="too deeply"):
        read_tree("- " * 50_000)


scalars = st.none() | st.booleans() | st.integers() | st.text("abc :#-\"'é", max_size=6)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values))
def test_what_a_yaml_writer_writes_is_read_back(value: dict[str, object]) -> None:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False  # the writer's own flow style loses quotes around "::x"
    writer.dump(value, out)
    assert read_tree(out.getvalue()).value == value
