import time
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet

from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.tokens import (
    LOGOUT_EVENT,
    Expected,
    Person,
    kid_of,
    read_id_token,
    read_logout_token,
)
from support.issuer import CLIENT, ISSUER, Issuer

EXPECTED = Expected(ISSUER, CLIENT)


@pytest.fixture(scope="module")
def made() -> Issuer:
    return Issuer()


@pytest.fixture
def issuer(made: Issuer) -> Issuer:
    made.claims, made.header, made.signs_with = {}, {}, made.key
    return made


def read(issuer: Issuer, **claims: Any) -> Person:
    token = issuer.sign({"sub": "248", "nonce": "n", **claims})
    return read_id_token(token, KeySet([issuer.key]), EXPECTED, "n", int(time.time()))


def test_an_id_token_names_a_person(issuer: Issuer) -> None:
    assert read(issuer, name="Alice", sid="s") == Person("248", "Alice", "s")
    assert read(issuer, name="Alice", preferred_username="alice") == Person("248", "alice")
    assert read(issuer, name=["x"]) == Person("248", "248")
    assert read(issuer, aud=[CLIENT, "other"], azp=CLIENT) == Person("248", "248")
    issuer.header = {"typ": "JWT"}
    assert read(issuer).sub == "248"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"}, {"iss": None}, {"iss": [ISSUER]}, {"iss": f"{ISSUER}/"},
        {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": ["other"]}, {"aud": {CLIENT: 1}},
        {"aud": [CLIENT, "other"]}, {"azp": "other"}, {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"iat": None},
        {"iat": 99_999_999_999}, {"iat": 1}, {"nbf": 99_999_999_999},
        {"nonce": "other"}, {"nonce": None}, {"nonce": ""}, {"nonce": ["n"]},
        {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256}, {"sub": "a b"}, {"sub": "a\n"},
    ],
)  # fmt: skip
def test_id_tokens_that_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    with pytest.raises(SignInFailed):
        read(issuer, **claims)


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "dpop+jwt"])
def test_tokens_of_another_kind_are_refused(issuer: Issuer, typ: str) -> None:
    issuer.header = {"typ": typ}
    with pytest.raises(SignInFailed, match="kind"):
        read(issuer)


def test_other_keys_and_other_algorithms_are_refused(issuer: Issuer) -> None:
    now, keys = int(time.time()), KeySet([issuer.key])
    issuer.signs_with, issuer.header = issuer.key.as_pem(private=False), {"alg": "HS256"}
    with pytest.raises(SignInFailed):
        read(issuer)
    good = {"sub": "248", "nonce": "n"}
    issuer.signs_with, issuer.header = Issuer().key, {}
    with pytest.raises(SignInFailed):
        read(issuer)
    issuer.signs_with = issuer.key
    head, body, signature = issuer.sign(good).split(".")
    for bad in (f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}.", f"{head}.{body}", "", "a.b.c"):
        with pytest.raises(SignInFailed):
            read_id_token(bad, keys, EXPECTED, "n", now)
    other = KeySet([ECKey.generate_key("P-256", {"kid": "k1"})])
    with pytest.raises(SignInFailed):
        read_id_token(f"{head}.{body}.{signature}", other, EXPECTED, "n", now)


def test_a_logout_token_says_whose_sessions_end(issuer: Issuer) -> None:
    token = issuer.logout_token(sid="s1")
    found = read_logout_token(token, KeySet([issuer.key]), EXPECTED, int(time.time()))
    assert (found.sub, found.sid, found.jti) == ("alice", "s1", "j1")
    assert found.forget > time.time() + 600


@pytest.mark.parametrize(
    "claims",
    [
        {"events": None}, {"events": {}}, {"events": [LOGOUT_EVENT]}, {"events": {LOGOUT_EVENT: 1}},
        {"events": LOGOUT_EVENT}, {"nonce": "n"}, {"nonce": ""}, {"jti": None}, {"jti": ""},
        {"jti": 7}, {"sub": None}, {"aud": "other"}, {"iss": "https://other.example"}, {"exp": 1},
        {"exp": None}, {"iat": None}, {"iat": 1},
    ],
)  # fmt: skip
def test_logout_tokens_that_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    token = issuer.logout_token(**claims)
    with pytest.raises(SignInFailed):
        read_logout_token(token, KeySet([issuer.key]), EXPECTED, int(time.time()))


def test_an_id_token_is_no_logout_token(issuer: Issuer) -> None:
    token = issuer.sign({"sub": "alice", "nonce": "n", "jti": "j"})
    with pytest.raises(SignInFailed, match="event"):
        read_logout_token(token, KeySet([issuer.key]), EXPECTED, int(time.time()))


def test_the_key_of_a_token(issuer: Issuer) -> None:
    assert kid_of(issuer.sign({})) == "k1"
    issuer.header = {"kid": None}
    for bad in ("", "x", "a.b.c", "W10.e30.eA", "bnVsbA.e30.eA", "é.b.c", "eyJraWQiOjd9.e30.eA"):
        try:
            assert kid_of(bad) == ""
        except SignInFailed:
            continue
