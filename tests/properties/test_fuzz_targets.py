"""The targets of ``fuzz/`` on input that is well-formed by construction: what random bytes seldom
are, and what real messages always are. And the runners themselves."""

import json
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from fuzz.mutate import Mutator
from fuzz.parts import CUT
from fuzz.targets import TARGETS
from fuzz.watch import KEPT, Hangs, Watch, keep
from lockgate.wire.edit import pointer

SPACE = st.text(" \t\n\r", max_size=2)
KEYS = st.sampled_from(["", "a", "b", "name", "uri", "_meta", "x/y~z", "*", "0", "é", '"\\'])
SCALARS = st.one_of(
    st.sampled_from(["null", "true", "false", "-0", "1.50", "1e5", "18446744073709551616"]),
    st.text(max_size=6).map(lambda s: json.dumps(s, ensure_ascii=False)),
    st.text(max_size=6).map(json.dumps),
    st.integers().filter(lambda n: abs(n) < 10**300).map(str),
)


@st.composite
def _object(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=4, unique=True))
    members = [
        f"{draw(SPACE)}{_spelled(key, escaped=draw(st.booleans()))}{draw(SPACE)}:{draw(SPACE)}"
        f"{draw(inside)}{draw(SPACE)}"
        for key in keys
    ]
    return "{" + (",".join(members) or draw(SPACE)) + "}"


@st.composite
def _array(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    items = [f"{draw(SPACE)}{one}{draw(SPACE)}" for one in draw(st.lists(inside, max_size=4))]
    return "[" + (",".join(items) or draw(SPACE)) + "]"


def _spelled(key: str, *, escaped: bool) -> str:
    if escaped and key.isascii() and key.isalnum():
        return '"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"'
    return json.dumps(key, ensure_ascii=False)


JSON = st.recursive(SCALARS, lambda inside: _object(inside) | _array(inside), max_leaves=12)
OBJECTS = _object(JSON)
PATHS = st.lists(KEYS | st.sampled_from(["1", "2", "-", "01"]), max_size=4)
FEW = settings(max_examples=60, deadline=None)
EDITS = st.sampled_from(["get", "put", "drop", "items", "merge", "change"])


@FEW
@given(JSON)
def test_json_is_read_as_others_read_it(text: str) -> None:
    TARGETS["strict_json"](text.encode())


@settings(max_examples=200, deadline=None)
@given(OBJECTS | _array(JSON), EDITS, PATHS, JSON | st.sampled_from(["0,1", "2"]))
def test_edits(text: str, how: str, path: list[str], value: str) -> None:
    line = "\t".join([how, pointer(*path), value])
    if "\n" not in line:
        TARGETS["raw_edits"](line.encode() + CUT + text.encode())


@FEW
@given(st.text("ab:\r\n \ufeff", max_size=24) | st.text("daitev: \r\n0", max_size=24))
def test_streams_cut_anywhere(text: str) -> None:
    """Short ones are cut at every byte."""
    for name in ("server_sent_events", "message_lines", "program_lines"):
        for most in (b"z", b"\x01"):
            TARGETS[name](most + text.encode())


@FEW
@given(st.text(max_size=40))
def test_any_text_is_a_header_value(text: str) -> None:
    TARGETS["header_values"](text.encode())


@FEW
@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_any_uri_comes_back(upstream: str, uri: str) -> None:
    TARGETS["uris"](upstream.encode() + CUT + uri.encode())


@FEW
@given(st.sampled_from(["up__echo", "up__none", "é ", "up__region"]), OBJECTS, OBJECTS)
def test_both_eras_say_the_same_call(name: str, arguments: str, vendor: str) -> None:
    parts = (b"tool", json.dumps(name).encode(), arguments.encode(), vendor.encode())
    TARGETS["same_call"](CUT.join(parts))


@FEW
@given(st.sampled_from(["tools/list", "tools/call", "resources/read", "prompts/get"]), OBJECTS)
def test_results_cross(method: str, result: str) -> None:
    TARGETS["crossing"](method.encode() + CUT + result.encode())
    TARGETS["results"](method.encode() + CUT + result.encode())


@FEW
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_mutations_repeat_themselves(data: bytes, seed: int) -> None:
    made = [Mutator(seed, [data, b"x"]).mutate(data, 300) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) <= 300


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a target that only one test has; what it leaves goes with it."""
    own = request.node.name
    yield own
    for path in _kept(own):
        path.unlink()
    (KEPT / "findings" / own).rmdir()


def test_what_a_target_raises_is_kept_and_raised(name: str) -> None:
    def target(data: bytes) -> None:
        assert data != b"bad", "found"

    watch = Watch(name, target)
    watch.run(b"good")
    with pytest.raises(AssertionError, match="found"):
        watch.run(b"bad")
    assert watch.inputs == 2
    assert [path.read_bytes() for path in _kept(name) if path.suffix == ".seed"] == [b"bad"]


def test_what_takes_more_than_a_second_is_stopped_and_kept(name: str) -> None:
    def target(data: bytes) -> None:
        while data:
            pass

    with pytest.raises(Hangs):
        Watch(name, target).run(b"endless")
    assert any(b"Hangs" in path.read_bytes() for path in _kept(name))


def test_a_finding_has_a_name_of_its_own(name: str) -> None:
    paths = {keep(name, data, ValueError("x")) for data in (b"a", b"b", b"a")}
    assert len(paths) == 2


def _kept(name: str) -> list[Path]:
    return sorted((KEPT / "findings" / name).iterdir())
