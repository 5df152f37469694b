"""Every provider's tokens, as ``tests/data/tokens/shapes.toml`` has them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from lockgate.identity.access_token import Accepted, accept, check_kind
from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import NotAccepted, read
from lockgate.identity.profiles import PROFILES, groups_left_out
from support.tokens import NOW, encoded

SHAPES: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "data/tokens/shapes.toml").read_text()
)
Json = dict[str, Any]


def taken(profile: str, kind: str, **changes: Any) -> Accepted:
    shape = SHAPES[profile]
    issuer = Issuer("corp", shape["issuer"], PROFILES[profile])  # type: ignore[index]
    claims = {**shape[kind]["claims"], "iss": issuer.url, "exp": NOW + 60, "iat": NOW, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    token = read(f"{encoded(shape[kind]['header'])}.{encoded(claims)}.x")
    assert token is not None
    check_kind(token, issuer)
    return accept(token.claims, issuer, NOW + 60)


def test_every_profile_that_has_jwts_has_its_shapes() -> None:
    assert {name for name, one in PROFILES.items() if not one.opaque} == SHAPES.keys()


@pytest.mark.parametrize("profile", SHAPES)
def test_an_access_token_says_who_it_is(profile: str) -> None:
    shape, found = SHAPES[profile], taken(profile, "access")
    who = found.principal
    assert (who.kind, who.subject, who.agent) == ("person", shape["subject"], shape["agent"])
    assert who.scopes == set(shape["scopes"])
    assert who.roles == set(shape["roles"])
    assert shape["audience"] in found.audiences
    assert found.token_id
    assert who.credential == f"corp:{found.token_id}"


@pytest.mark.parametrize("profile", SHAPES)
def test_an_id_token_is_no_access_token(profile: str) -> None:
    with pytest.raises(NotAccepted):
        taken(profile, "id")


@pytest.mark.parametrize("profile", SHAPES)
@pytest.mark.parametrize("mark", ["nonce", "at_hash", "c_hash"])
def test_where_the_type_does_not_say_it_no_mark_of_an_id_token_may_be_there(
    profile: str, mark: str
) -> None:
    if SHAPES[profile]["access"]["header"].get("typ") == "at+jwt":
        assert taken(profile, "access", **{mark: "x"})
    else:
        with pytest.raises(NotAccepted):
            taken(profile, "access", **{mark: "x"})


@pytest.mark.parametrize(
    ("profile", "changes"),
    [
        ("entra-v2", {"idtyp": "app", "scp": None}),
        ("entra-v2", {"scp": None, "oid": "o-1", "sub": "o-1"}),
        ("entra-v1", {"idtyp": "app", "scp": None}),
        ("okta", {"uid": None, "sub": "0oa1b2c3d4"}),
        ("keycloak", {"preferred_username": "service-account-desk"}),
        ("generic", {"sub": "desk"}),
        ("ping", {"sub": "desk"}),
    ],
)
def test_a_program_s_own_token_is_a_service_s(profile: str, changes: Json) -> None:
    found = taken(profile, "access", **changes)
    assert found.principal.kind == "service"
    assert found.principal.owner == ""


@pytest.mark.parametrize(
    "claims",
    [{"_claim_names": {"groups": "src1"}, "_claim_sources": {}}, {"hasgroups": True}],
)
def test_groups_that_are_left_out_are_not_taken_for_none(claims: Json) -> None:
    assert groups_left_out(claims)
    with pytest.raises(NotAccepted, match="groups"):
        taken("entra-v2", "access", **claims)


def test_google_s_access_tokens_are_asked_about() -> None:
    issuer = Issuer("corp", "https://accounts.google.com", PROFILES["google"])
    token = read(f"{encoded({'alg': 'RS256', 'typ': 'JWT'})}.{encoded({'aud': 'x'})}.x")
    assert token is not None
    with pytest.raises(NotAccepted):
        check_kind(token, issuer)
