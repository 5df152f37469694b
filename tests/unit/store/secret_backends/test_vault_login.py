import pytest

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.store.secret_backends.vault_login import Login, parse_login

FILE = Reference("file", "/run/a b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token env:T", Login("token", Reference("env", "T"))),
        ("token file:/run/a b", Login("token", FILE)),
        ("approle r-1 env:T", Login("approle", Reference("env", "T"), "r-1")),
        ("approle@team/x r-1 env:T", Login("approle", Reference("env", "T"), "r-1", "team/x")),
        ("jwt gate file:/run/a b", Login("jwt", FILE, "gate")),
        ("kubernetes gate file:/run/a b", Login("kubernetes", FILE, "gate")),
    ],
)
def test_forms(text: str, expected: Login) -> None:
    assert parse_login(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "token", "token s.plain", "token Bearer env:T", "token vault:a/b#c", "approle env:T",
     "jwt gate", "ldap me env:T", "token@x env:T", "approle a b env:T"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ReferenceBroken):
        parse_login(text)


def test_what_is_sent() -> None:
    approle = Login("approle", FILE, "r-1")
    assert approle.body("s") == {"role_id": "r-1", "secret_id": "s"}
    assert Login("kubernetes", FILE, "gate").body("j") == {"role": "gate", "jwt": "j"}
