from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity.agreement import agreed
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Principal

ALICE = {"kind": "person", "subject": "alice", "owner": "alice"}
ROBOT = {"kind": "service", "subject": "robot", "owner": "bob"}
NAMES = st.frozensets(st.sampled_from(["read", "write", "admin"]))


def token(**said: Any) -> Principal:
    return Principal(**{**ALICE, "authn": frozenset({"oauth"}), "credential": "corp:t-1", **said})


def key(**said: Any) -> Principal:
    shown = {"authn": frozenset({"api_key"}), "credential": "abcdefghijkl"}
    return Principal(**{**ALICE, **shown, **said})


def both(token: Principal, key: Principal) -> Principal:
    found = agreed(token, key)
    assert isinstance(found, Principal), found
    return found


def test_one_person_proved_twice() -> None:
    found = both(
        token(
            agent="desk", roles=frozenset({"doctor", "staff"}), scopes=frozenset({"read", "x"}),
            authn=frozenset({"oauth", "mfa"}), actors=("helper",), acr="high", auth_time=7,
        ),
        key(roles=frozenset({"doctor", "admin"}), scopes=frozenset({"read", "write"})),
    )  # fmt: skip
    assert (found.id, found.owner, found.agent) == ("person:alice", "alice", "desk")
    assert found.authn == {"oauth", "mfa", "api_key"}
    assert found.roles == {"doctor"}
    assert found.scopes == {"read"}
    assert (found.actors, found.acr, found.auth_time) == (("helper",), "high", 7)
    assert found.credential == "abcdefghijkl corp:t-1"


def test_one_service_proved_twice() -> None:
    assert both(token(**ROBOT), key(**ROBOT)).id == "service:robot"


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({}, {"subject": "bob", "owner": "bob"}, "subjects"),
        ({"subject": "Alice", "owner": "Alice"}, {}, "subjects"),
        ({"subject": "corp/alice", "owner": "corp/alice"}, {}, "subjects"),
        ({}, {"kind": "service", "subject": "alice"}, "subjects"),
        ({}, {"kind": "service", "subject": "ci"}, "subjects"),
        (ROBOT, {"kind": "person", "subject": "bob", "owner": "bob"}, "subjects"),
        (ROBOT, {**ROBOT, "owner": "carol"}, "owners"),
        ({**ROBOT, "owner": ""}, ROBOT, "owners"),
        ({"agent": "desk"}, {"agent": "phone"}, "agents"),
    ],
)
def test_what_does_not_name_the_same_is_nobody(one: Any, other: Any, why: str) -> None:
    found = agreed(token(**one), key(**other))
    assert isinstance(found, AuthRefusal)
    assert found.reason == "auth.mismatch"
    assert why in found.detail


def test_who_says_no_agent_does_not_contradict() -> None:
    assert both(token(agent="desk"), key()).agent == "desk"
    assert both(token(), key(agent="desk")).agent == "desk"


@given(NAMES, NAMES)
def test_roles_are_those_that_both_give(one: frozenset[str], other: frozenset[str]) -> None:
    assert both(token(roles=one), key(roles=other)).roles == one & other


@given(NAMES, NAMES)
def test_no_scope_is_gained_by_either(of_token: frozenset[str], of_key: frozenset[str]) -> None:
    """Whichever way policy reads a caller without scopes: as one that is not narrowed, or as one
    that may nothing."""
    found = agreed(token(scopes=of_token), key(scopes=of_key))
    if isinstance(found, AuthRefusal):
        assert of_key
        assert not of_key & of_token
        return
    assert found.scopes <= of_token
    assert not of_key or found.scopes <= of_key
    assert found.scopes or not (of_token or of_key), "a narrow caller is not made an open one"
