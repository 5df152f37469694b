import pytest

from lockgate.model.reference import (
    Reference,
    ReferenceBroken,
    looks_secret,
    looks_secret_value,
    parse_reference,
    resolve_reference,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env:A_TOKEN", Reference("env", "A_TOKEN")),
        ("file:/run/secrets/a", Reference("file", "/run/secrets/a")),
        ("Bearer env:A", Reference("env", "A", "Bearer ")),
        ("vault:kv/team/github#token", Reference("vault", "kv/team/github", field="token")),
        ("Bearer vault:kv/a b#t", Reference("vault", "kv/a b", "Bearer ", "t")),
        ("ssm:/prod/github-token", Reference("ssm", "/prod/github-token")),
        ("secretsmanager:prod/github", Reference("secretsmanager", "prod/github")),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-central-1:1:secret:a-b#t",
            Reference(
                "secretsmanager", "arn:aws:secretsmanager:eu-central-1:1:secret:a-b", "", "t"
            ),
        ),
        ("keyring:lockgate/github", Reference("keyring", "lockgate/github")),
        ("keyring:https://a.example/x/me@b", Reference("keyring", "https://a.example/x/me@b")),
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


@pytest.mark.parametrize(
    "text",
    ["env:", "env:9", "env:A B", "file:", "file: ", "Bearer env:$X", "vault:", "vault:kv#f",
     "vault:kv/a", "vault:/a#f", "vault:kv//a#f", "vault:kv/../sys#f", "vault:kv/..#f",
     "vault:kv/a?x#f", "vault:kv/a#", "vault:kv/a#f#g", "vault:kv/%2e#f", "ssm:", "ssm:a b",
     "ssm:a:3", "ssm:a//b", "secretsmanager:", "secretsmanager:a b", "secretsmanager:a#",
     "keyring:", "keyring:a", "keyring:/a", "keyring:a/", "keyring:a/b\nc"],
)  # fmt: skip
def test_a_reference_to_nothing_is_broken(text: str) -> None:
    with pytest.raises(ReferenceBroken):
        parse_reference(text)


def test_the_secret_alone_is_the_same_wherever_it_is_used() -> None:
    found = parse_reference("Bearer vault:kv/a#t")
    assert found is not None
    assert found.bare == parse_reference("vault:kv/a#t")


def test_resolve() -> None:
    def read(reference: Reference) -> str:
        return {"env:A": "s3cret", "vault:kv/a#t": "from-vault"}[str(reference.bare)]

    assert resolve_reference("env:A", read) == "s3cret"
    assert resolve_reference("Bearer env:A", read) == "Bearer s3cret"
    assert resolve_reference("Bearer vault:kv/a#t", read) == "Bearer from-vault"
    assert resolve_reference("plain", read) == "plain"
    assert resolve_reference("text:file:./dev.db", read) == "file:./dev.db"


def test_a_header_is_one_line() -> None:
    with pytest.raises(ReferenceBroken, match="env:A holds more than one line") as caught:
        resolve_reference("Bearer env:A", lambda _: "s3cret\nb")
    assert "s3cret" not in str(caught.value)
    assert resolve_reference("env:A", lambda _: "a\nb") == "a\nb"


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
        ("X-Custom", "Bearer vault:kv/github#token", False),
    ],
)
def test_looks_secret(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret


def test_a_key_in_a_query_is_a_secret() -> None:
    assert looks_secret_value("https://a.example/mcp?api_key=abcdef")
    assert not looks_secret_value("https://a.example/mcp?page=abcdef")
