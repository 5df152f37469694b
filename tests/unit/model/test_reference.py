import pytest

from lockgate.model.reference import (
    Reference,
    ReferenceBroken,
    looks_secret,
    looks_secret_value,
    parse_reference,
    resolve_reference,
)


def absent(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env:A_TOKEN", Reference("env", "A_TOKEN")),
        ("file:/run/secrets/a", Reference("file", "/run/secrets/a")),
        ("Bearer env:A", Reference("env", "A", "Bearer ")),
        ("plain", None),
        ("text:env:A", None),
        ("two words env:A", None),
        ("environment", None),
    ],
)
def test_parse(text: str, expected: Reference | None) -> None:
    assert parse_reference(text) == expected
    if expected is not None:
        assert str(expected) == text


@pytest.mark.parametrize("text", ["env:", "env:9", "env:A B", "file:", "file: ", "Bearer env:$X"])
def test_a_reference_to_nothing_is_broken(text: str) -> None:
    with pytest.raises(ReferenceBroken):
        parse_reference(text)


def test_resolve() -> None:
    def read(path: str) -> str:
        return f"<{path}>\n"

    environ = {"A": "s3cret"}
    assert resolve_reference("env:A", environ, read) == "s3cret"
    assert resolve_reference("Bearer env:A", environ, read) == "Bearer s3cret"
    assert resolve_reference("file:/a", environ, read) == "</a>"
    assert resolve_reference("plain", environ, read) == "plain"
    assert resolve_reference("text:file:./dev.db", environ, read) == "file:./dev.db"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("env:GONE", "GONE is not set"),
        ("env:EMPTY", "is empty"),
        ("file:/gone", "cannot be read \\(No such file"),
        ("Bearer env:LINES", "more than one line"),
    ],
)
def test_what_is_missing_is_named(text: str, says: str) -> None:
    with pytest.raises(ReferenceBroken, match=says):
        resolve_reference(text, {"EMPTY": "", "LINES": "a\nb"}, absent)


def test_an_unreadable_file_shows_nothing_of_itself() -> None:
    def read(path: str) -> str:
        return b"\xff secret".decode()

    with pytest.raises(ReferenceBroken, match="not UTF-8 text") as caught:
        resolve_reference("file:/a", {}, read)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("GITHUB_TOKEN", "abc", True),
        ("api_key", "abc", True),
        ("Authorization", "Basic abc", True),
        ("X-Api-Key", "abc", True),
        ("GITHUB_PAT", "abc", True),
        ("PATH", "/usr/bin", False),
        ("TOKEN_FILE", "/run/token", False),
        ("AWS_ACCESS_KEY_ID", "abc", False),
        ("TOKENIZERS_PARALLELISM", "false", False),
        ("COMPATIBLE", "abc", False),
        ("PLAIN", "ghp_0123456789abcdefghijklmn", True),
        ("DATABASE_URL", "postgres://u:p4ss@db/x", True),
        ("DATABASE_URL", "postgres://u@db/x", False),
        ("X-Custom", "Bearer abcdefghijkl", True),
        ("X-Custom", "Bearer env:TOKEN", False),
    ],
)
def test_looks_secret(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


def test_a_key_in_a_query_is_a_secret() -> None:
    assert looks_secret_value("https://a.example/mcp?api_key=abcdef")
    assert not looks_secret_value("https://a.example/mcp?page=abcdef")
