import pytest

from support.desk import Desk

CONFIG = "issuers: {corp: {url: https://issuer.example}}\n"


def test_tokens_are_revoked_and_listed(desk: Desk) -> None:
    desk.configure(CONFIG)
    assert "Nothing" in desk.type("tokens", "revoked").err
    said = desk.type("tokens", "revoke", "--issuer", "corp", "--subject", "alice", "--json")
    assert said.code == 0
    assert said.json == {
        "issuer": "https://issuer.example", "kind": "subject", "value": "alice",
        "before": "2027-01-15T08:00:00.000Z", "until": "2027-01-16T08:00:00.000Z",
    }  # fmt: skip
    assert desk.type("tokens", "revoked", "--json").json == [said.json]
    assert "alice" in desk.type("tokens", "revoked").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--issuer", "corp"), 2),
        (("--issuer", "corp", "--subject", "a", "--token", "b"), 2),
        (("--issuer", "other", "--subject", "a"), 3),
    ],
)
def test_usage(desk: Desk, words: tuple[str, ...], code: int) -> None:
    desk.configure(CONFIG)
    found = desk.type("tokens", "revoke", *words)
    assert found.code == code
    assert "Traceback" not in found.err
