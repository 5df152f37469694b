from typing import Any

from lockgate.app.people import rules_of
from lockgate.app.settings_people import PeopleSettings
from lockgate.identity.standing import Rules

LDAP: dict[str, Any] = {"hq": {"url": "ldaps://ldap.example", "base": "ou=people,dc=example"}}


def rules(**given: Any) -> Rules:
    return rules_of(PeopleSettings.model_validate(given))


def test_without_a_source_everybody_may_be_unknown() -> None:
    assert rules() == Rules(sources=frozenset({"operator"}))


def test_with_a_source_everybody_must_be_known_unless_the_operator_says_otherwise() -> None:
    assert rules(scim_secrets=("env:S",)).required
    assert rules(ldap=LDAP).required
    assert not rules(ldap=LDAP, required=False).required
    assert rules(required=True).required


def test_each_source_counts_that_is_configured() -> None:
    found = rules(scim_secrets=("env:S",), ldap=LDAP)
    assert found.sources == {"operator", "scim", "ldap:hq"}
    assert found.oldest_ms == {"ldap:hq": 900_000}


def test_groups_are_found_in_whatever_case() -> None:
    found = rules(roles={"Staff": ("a",), "STAFF": ("b",), "Ward 3": ("c", "d")})
    assert found.roles == {"staff": {"a", "b"}, "ward 3": {"c", "d"}}
