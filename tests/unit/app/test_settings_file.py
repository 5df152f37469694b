import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.app.settings import Settings
from lockgate.app.settings_file import MAX_FILE_BYTES, SettingsInvalid, json_schema, load, parse
from lockgate.model.problem import Problem

GOOD = """
# A comment.
listen: {port: 9000}
policies: rules
limits:
  message_bytes: 1 MiB
upstreams:
  git:
    command: mcp-server-git
    args: [--repository, /srv/repo]
    env: {GIT_TOKEN: "file:secrets/git", PLAIN: x}
    cwd: work
    data_classes: [source]
    tools:
      git_diff: {arguments: {target: string}}
      git_reset: {hold: owner}
  remote:
    url: https://mcp.example/mcp
    headers: {Authorization: "Bearer env:REMOTE"}
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        parse(text)
    return caught.value.problems


def only(text: str) -> Problem:
    (found,) = problems(text)
    return found


def test_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.yaml"
    file.write_text(GOOD)
    made = load(file)
    assert made.listen.port == 9000
    assert made.limits.message_bytes == 2**20
    git = made.upstreams["git"]
    assert git.argv == ("mcp-server-git", "--repository", "/srv/repo")
    assert git.tools["git_diff"].arguments == {"target": "string"}
    assert git.tools["git_reset"].hold == "owner"
    assert git.data_classes == {"source"}


def test_a_database_with_its_password_is_refused_and_not_repeated() -> None:
    found = only("database: postgresql://gate:pa55word@db.example/x")
    assert "pa55word" not in str(found)
    assert "file:/path" in found.remedy


def test_policies_are_one_place_or_several() -> None:
    assert parse("policies: rules").policies == ("rules",)
    assert parse("policies: [a.cedar, b.cedar]").policies == ("a.cedar", "b.cedar")
    assert only("policies: 3").expected == "a list"


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("") == parse("# nothing\n") == Settings()


def test_an_unknown_key_has_its_place_and_a_suggestion() -> None:
    found = only("upstreams:\n  git:\n    command: x\n    timeout-second: 3\n")
    assert (found.line, found.column) == (4, 5)
    assert found.path == "upstreams.git.timeout-second"
    assert found.remedy == "Did you mean timeout_seconds?"


def test_an_unknown_key_like_no_other_lists_what_is_known() -> None:
    assert "listen" in only("zzz: 1\n").remedy
    assert "arguments, hold" in only("upstreams: {a: {command: x, tools: {t: {zzz: 1}}}}").remedy


@pytest.mark.parametrize(
    ("text", "path", "place", "found", "expected"),
    [
        ("listen: {port: high}", "listen.port", (1, 16), '"high"', "a whole number"),
        ("listen: {port: 70000}", "listen.port", (1, 16), "70000", "at most 65535"),
        ("listen: {behind_tls_proxy: yes}", "listen.behind_tls_proxy", (1, 28), '"yes"',
         "true or false"),
        ("listen: 3", "listen", (1, 9), "3", "a mapping (name: value)"),
        ("listen:\n  host: 0.0.0.0", "listen.host", (2, 9), '"0.0.0.0"',
         "a loopback address, or TLS in front"),
        ("data_dir: 7", "data_dir", (1, 11), "7", "text (put it in quotes)"),
        ("limits: {burst: 0}", "limits.burst", (1, 17), "0", "at least 1"),
        ("limits: {burst: 1.5}", "limits.burst", (1, 17), "1.5", "a whole number"),
        ("limits: {reply_bytes: 4 MB}", "limits.reply_bytes", (1, 23), '"4 MB"', "a whole number"),
        ("upstreams: {a: {command: x, trust: high}}", "upstreams.a.trust", (1, 36), '"high"',
         "one of untrusted, internal or trusted"),
        ("upstreams:\n  Git: {command: x}", "upstreams.Git", (2, 3), '"Git"',
         "a name of lower-case letters, digits and hyphens, at most 32"),
        ("upstreams: {a: {command: x, args: y}}", "upstreams.a.args", (1, 35), "", "a list"),
        ("upstreams: {a: {command: x, tools: {t: {arguments: {n: int}}}}}",
         "upstreams.a.tools.t.arguments.n", (1, 56), '"int"',
         "one of string, long, decimal, bool or strings"),
        ("- a\n", "", (1, 1), "a list", "a mapping (name: value)"),
    ],
)  # fmt: skip
def test_wrong_values(
    text: str, path: str, place: tuple[int, int], found: str, expected: str
) -> None:
    problem = only(text)
    assert problem.path == path
    assert (problem.line, problem.column) == place
    assert problem.found == found
    assert problem.expected == expected


def test_an_inline_secret_is_refused_where_it_stands_and_not_repeated() -> None:
    found = only("upstreams:\n  a:\n    command: x\n    env:\n      A_TOKEN: hunter2hunter2\n")
    assert (found.line, found.column) == (5, 16)
    assert found.path == "upstreams.a.env.A_TOKEN"
    assert "hunter2" not in str(found)
    assert "file:/path" in found.remedy


def test_several_problems_come_in_the_order_of_the_file() -> None:
    found = problems("zzz: 1\nlisten: {port: x, hots: []}\nlimits: {burst: x}\n")
    assert [p.line for p in found] == [1, 2, 2, 3]
    assert "Did you mean hosts?" in found[2].remedy


def test_a_duplicate_key_is_refused() -> None:
    assert "written twice" in only("data_dir: a\ndata_dir: b\n").what


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="lockgate init"):
        load(tmp_path / "gone.yaml")
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(SettingsInvalid, match="larger than"):
        load(big)
    other = tmp_path / "latin.yaml"
    other.write_bytes("data_dir: ok\npolicies: \xe9".encode("latin-1"))
    with pytest.raises(SettingsInvalid) as caught:
        load(other)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (2, 11)


def test_the_schema_for_editors_knows_every_setting() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["additionalProperties"] is False
    assert "env:" in json.dumps(schema)


fragments = st.sampled_from(
    ["listen:", "port:", " 1", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "!!int ",
     "? ", ": ", "'", '"', "|", ">", "#", "---", "...", "%YAML 1.1", "\t", "upstreams:", "a:",
     "command: x", "<<:", "\\", '"\\U00110000"', '"\\xd8"', "0x", "1e999", "\x85", "\u2028",
     "\ufeff", "\ud800", "\x00"]
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(fragments, max_size=25).map("".join) | st.text(max_size=60))
@example('a: "\\UFFFFFFFF"')
@example("%YAML 99999999999999999999.1\n---\na: 1")
def test_any_text_gives_settings_or_problems_with_a_place(text: str) -> None:
    check_outcome(text)


def check_outcome(text: str) -> None:
    for problem in outcome(text):
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem)


def outcome(text: str) -> tuple[Problem, ...]:
    try:
        parse(text)
    except SettingsInvalid as invalid:
        return invalid.problems or (Problem("nothing is said"),)
    return ()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["listen", "host", "port", "upstreams", "a", "command", "url", "env",
                         "tools", "limits", "burst", "arguments", "policies", "headers", "X"]),
        inner,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(json_like)
def test_any_tree_gives_settings_or_problems_with_a_place(value: object) -> None:
    check_outcome(json.dumps(value))
