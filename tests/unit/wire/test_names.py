import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.wire.names import (
    CLIENT_PREFIX,
    LIMIT,
    NameTable,
    join,
    unwrap_uri,
    wrap_template,
    wrap_uri,
)

PIECE = st.text("ab_-.é", max_size=6) | st.text("a_", max_size=60)
PAIRS = st.lists(st.tuples(PIECE, PIECE), max_size=12)
FITS = re.compile(r"[A-Za-z0-9_-]+")
UPSTREAM = st.text(min_size=1, max_size=8)
URI = st.text(max_size=20) | st.sampled_from(
    ["file:///a b", "ui://app/x", "UI://app/%2f?q=1#f", "ui:", "lockgate+a:b", "test://{id}", "é"]
)


def test_plain_names_stay_readable() -> None:
    assert join("time", "get_current_time") == "time__get_current_time"


@pytest.mark.parametrize(
    ("upstream", "name"),
    [("time", "x" * 60), ("time", "has space"), ("a__b", "c"), ("a_", "b"), ("", "b"), ("t", "é")],
)
def test_other_names_are_shortened_and_end_in_a_hash(upstream: str, name: str) -> None:
    outer = join(upstream, name)
    assert re.fullmatch(r"[A-Za-z0-9_-]+_[0-9a-f]{8}", outer)
    assert len(CLIENT_PREFIX + outer) <= 64


def test_the_same_pair_always_has_the_same_name() -> None:
    assert join("a", "x" * 60) == join("a", "x" * 60)
    assert join("a", "x" * 60) != join("a", "x" * 61)


@given(PAIRS)
@example([("a", "_b"), ("a_", "b"), ("a__b", "c"), ("a", "b__c")])
@example([("a.b", "c"), ("a_b", "c"), ("aéb", "c")])
def test_names_are_injective_short_and_reversible(pairs: list[tuple[str, str]]) -> None:
    table = NameTable(pairs)
    outers = {pair: table.outer(*pair) for pair in pairs}
    assert len(set(outers.values())) == len(set(pairs))
    for pair, outer in outers.items():
        assert FITS.fullmatch(outer)
        assert len(outer) <= LIMIT
        assert table.inner(outer) == pair


@given(PAIRS)
def test_the_order_of_pairs_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    forwards, backwards = NameTable(pairs), NameTable(reversed(pairs))
    assert [forwards.outer(*p) for p in pairs] == [backwards.outer(*p) for p in pairs]


def test_who_squats_on_a_hashed_name_does_not_get_it() -> None:
    victim = ("good", "has space")
    squatter = ("good", join(*victim).removeprefix("good__"))
    table = NameTable([victim, squatter])
    assert table.inner(table.outer(*victim)) == victim
    assert table.inner(table.outer(*squatter)) == squatter
    assert table.outer(*victim) != table.outer(*squatter)


def test_a_plain_name_is_the_same_in_any_company() -> None:
    table = NameTable([("time", "now"), ("time", "has space"), ("other", "now")])
    assert table.outer("time", "now") == join("time", "now") == "time__now"


def test_two_names_with_the_same_short_hash_both_take_a_longer_one() -> None:
    # Found by trying: the first eight hex digits of their hashes are equal.
    one, other = ("good", "x" * 60 + "30179"), ("good", "x" * 60 + "48165")
    assert join(*one) == join(*other)
    table = NameTable([one, other])
    for pair in (one, other):
        assert table.outer(*pair) != join(*pair)
        assert table.inner(table.outer(*pair)) == pair


def test_unknown_names_lead_nowhere() -> None:
    table = NameTable([("a", "b")])
    assert table.inner("a__c") is None
    with pytest.raises(KeyError):
        table.outer("a", "c")


def test_uris_are_prefixed_and_ui_stays_ui() -> None:
    assert wrap_uri("docs", "file:///a b?q#f") == "lockgate+docs:file:///a b?q#f"
    assert wrap_uri("docs", "ui://app/x y") == "ui://lockgate/docs/ui%3A%2F%2Fapp%2Fx%20y"
    assert wrap_uri("My_Docs", "x:y").startswith("lockgate+x.4d795f446f6373:")


@given(UPSTREAM, URI)
def test_uris_are_reversible(upstream: str, uri: str) -> None:
    assert unwrap_uri(wrap_uri(upstream, uri)) == (upstream, uri)
    assert unwrap_uri(wrap_template(upstream, uri)) == (upstream, uri)


@given(st.tuples(UPSTREAM, URI), st.tuples(UPSTREAM, URI))
def test_uris_are_injective(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (wrap_uri(*one) == wrap_uri(*other)) is (one == other)


@pytest.mark.parametrize("template", ["test://template/{id}/data", "ui://app/{id}{?q}"])
def test_templates_expand_after_wrapping(template: str) -> None:
    outer = wrap_template("docs", template)
    assert outer.endswith(template)
    expanded = outer.replace("{id}", "a%20b").replace("{?q}", "?q=1")
    inner = template.replace("{id}", "a%20b").replace("{?q}", "?q=1")
    assert unwrap_uri(expanded) == ("docs", inner)


@pytest.mark.parametrize("folded", ["LOCKGATE+docs:x:y", "lockgate+DOCS:x:y"])
def test_clients_may_fold_the_case_of_a_scheme(folded: str) -> None:
    assert unwrap_uri(folded) == ("docs", "x:y")


@pytest.mark.parametrize(
    "outer",
    [
        "",
        "file:///x",
        "lockgate+docs",
        "lockgate+:x",
        "lockgate+x.zz:y",
        "lockgate+x.ff:y",
        "lockgate+a_b:y",
        "ui://app/x",
        "ui://lockgate/docs",
        "ui://lockgate/docs/file%3A%2F%2F",
        "ui://lockgate/docs/%FF",
    ],
)
def test_what_we_never_wrapped_is_nobodys(outer: str) -> None:
    assert unwrap_uri(outer) is None
