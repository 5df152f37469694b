"""What the settings say of people, as the rooms need it."""

from collections import defaultdict

from lockgate.app.settings_people import PeopleSettings
from lockgate.identity.standing import Rules
from lockgate.model.person import LDAP, OPERATOR, SCIM, folded


def rules_of(people: PeopleSettings) -> Rules:
    """Names of groups that differ in case only are one group's, as for SCIM and LDAP."""
    read = {LDAP + name: int(one.max_age_seconds * 1000) for name, one in people.ldap.items()}
    written = {SCIM} if people.scim_secrets else set()
    roles: dict[str, frozenset[str]] = defaultdict(frozenset)
    for group, given in people.roles.items():
        roles[folded(group)] |= frozenset(given)
    sources = frozenset({OPERATOR, *written, *read})
    required = people.required if people.required is not None else bool(written or read)
    return Rules(sources, required, dict(roles), read)
