from typing import Any

import pytest

from lockgate.identity.access_token import DEEPEST_ACT, Accepted, accept
from lockgate.identity.issuer import Client, Issuer
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.profiles import PROFILES
from support.tokens import NOW

Json = dict[str, Any]


def taken(claims: Json, **settings: Any) -> Accepted:
    issuer = Issuer("corp", "https://issuer.example", PROFILES["generic"], **settings)
    whole = {"sub": "alice", "client_id": "desk", "aud": "gate", "iat": NOW, "jti": "j", **claims}
    return accept(whole, issuer, NOW + 60)


def test_a_subject_is_one_in_its_issuer_s_name_space() -> None:
    who = taken({}, namespace="corp/").principal
    assert (who.id, who.owner) == ("person:corp/alice", "corp/alice")


@pytest.mark.parametrize("subject", ["", " alice", "a\nb", "x" * 257, 5, None])
def test_a_subject_is_plain_text(subject: object) -> None:
    with pytest.raises(NotAccepted, match="subject"):
        taken({"sub": subject})


def test_a_client_is_known_by_its_name_and_answered_for() -> None:
    clients = {"desk": Client("desk-agent", "carol", "laptop")}
    assert taken({}, clients=clients).principal.agent == "desk-agent"
    robot = taken({"sub": "desk"}, clients=clients)
    assert (robot.principal.kind, robot.principal.owner) == ("service", "carol")
    assert robot.workload == "laptop"
    with pytest.raises(NotAccepted, match="client"):
        taken({"client_id": "other"}, clients=clients, only_known_clients=True)


def test_who_acts_for_whom_is_told_the_nearest_first() -> None:
    act = {"sub": "desk-agent", "act": {"sub": "orchestrator", "act": {"client_id": "portal"}}}
    assert taken({"act": act}).principal.actors == ("desk-agent", "orchestrator", "portal")


@pytest.mark.parametrize("act", ["x", 5, [], {}, {"sub": 5}, {"sub": "a", "act": "b"}])
def test_a_chain_that_is_none_is_refused(act: object) -> None:
    with pytest.raises(NotAccepted):
        taken({"act": act})


def test_a_chain_has_an_end() -> None:
    act: Json = {"sub": "a"}
    for _ in range(DEEPEST_ACT):
        act = {"sub": "a", "act": act}
    with pytest.raises(NotAccepted, match="chain"):
        taken({"act": act})


def test_scopes_hold_what_they_imply() -> None:
    implied = {"admin": frozenset({"write"}), "write": frozenset({"read", "admin"})}
    who = taken({"scope": "admin x"}, implied=implied).principal
    assert who.scopes == {"admin", "write", "read", "x"}


def test_roles_are_called_as_policy_calls_them() -> None:
    claims = {"roles": ["g-1", "nurse"], "groups": "ward west"}
    who = taken(claims, roles={"g-1": "doctor"}).principal
    assert who.roles == {"doctor", "nurse", "ward", "west"}


@pytest.mark.parametrize(
    ("claims", "several"),
    [
        ({}, False), ({"amr": ["pwd"]}, False), ({"amr": ["mfa"]}, True), ({"amr": "mfa"}, True),
        ({"amr": ["pwd", "otp"]}, True), ({"amr": ["otp"]}, False), ({"acr": "gold"}, True),
        ({"acr": "silver"}, False), ({"amr": ["pwd", "kba"]}, False),
    ],
)  # fmt: skip
def test_more_than_one_factor_is_a_fact(claims: Json, several: bool) -> None:
    who = taken(claims, mfa=frozenset({"gold"})).principal
    assert who.authn == ({"oauth", "mfa"} if several else {"oauth"})


def test_how_and_when_a_person_signed_in_are_facts() -> None:
    who = taken({"acr": "gold", "auth_time": NOW - 60}).principal
    assert (who.acr, who.auth_time) == ("gold", NOW - 60)


def test_what_it_is_bound_to_is_kept() -> None:
    assert taken({"cnf": {"x5t#S256": "a"}}).certificate == "a"
    assert taken({"cnf": {"jkt": "b", "x5t#S256": "a"}}).key == "b"


@pytest.mark.parametrize("cnf", ["x", [], {"jwk": {}}, {"jkt": 5}, {"jkt": "b", "kid": "c"}])
def test_a_binding_that_is_not_understood_is_refused(cnf: object) -> None:
    with pytest.raises(NotAccepted, match="bound"):
        taken({"cnf": cnf})
