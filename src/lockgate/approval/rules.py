"""Whose yes each factor is, and for how long it is asked."""

from collections.abc import Mapping

import msgspec

MINUTE_MS = 60_000
KEPT_MS = 60 * MINUTE_MS
"""How long a result waits for whoever asked, and a no is not asked again."""
MOST_WAITING = 20
"""Open questions of one principal at a time."""
MOST_ASKED = 120
"""Questions of one principal in an hour, also those it took back."""
HOUR_MS = 60 * MINUTE_MS
MOST_PER_HOUR = 60
"""Yeses of one person: more is not reading."""


class FactorRule(msgspec.Struct, frozen=True):
    """Who may answer for one factor. Several ways add up; none at all means: whoever holds the
    admin role ``approver``."""

    people: frozenset[str] = frozenset()
    """Identities: ``oidc:SUBJECT``, ``os:ACCOUNT``."""
    groups: frozenset[str] = frozenset()
    """Names of directory groups."""
    relation: str = ""
    """Whoever stands in this relation to the entity that ``argument`` names: ``lead`` ..."""
    argument: str = ""
    """JSON pointer below the arguments."""
    count: int = 1
    confirm: bool = False
    """The acting person confirms it themselves, and nobody else can."""
    step_up: bool = False
    """Only for whoever signed in freshly and strongly."""
    on_retry: bool = False
    """Carried out when the client comes again: for calls whose upstream asks the client."""
    pending: int = 15 * MINUTE_MS
    """How long the question waits, in milliseconds."""
    window: int = 5 * MINUTE_MS
    """How long after the last yes it may be used."""
    fixed: bool = False
    """Only whom it names, also where that is nobody; nobody lends it to somebody else."""
    escalate_to: tuple[str, ...] = ()
    """Identities that may answer too, once it has waited for ``escalate_after``."""
    escalate_after: int = 0
    """Milliseconds."""

    @property
    def open(self) -> bool:
        """It names nobody: holders of the role ``approver`` answer."""
        named = self.people or self.groups or self.relation or self.confirm
        return not (named or self.fixed)


class ApprovalRules(msgspec.Struct, frozen=True):
    """What the settings say. Replaced whole on reload."""

    factors: Mapping[str, FactorRule] = {}
    vetoers: frozenset[str] = frozenset()
    """Identities that may stop anything, besides holders of the admin role ``responder``."""
    namespaces: frozenset[str] = frozenset()
    """What issuers of access tokens have put before their names for people."""

    def of(self, factor: str) -> FactorRule:
        return self.factors.get(factor, _NOBODY if ":" in factor else _OPEN)


_OPEN = FactorRule()
_NOBODY = FactorRule(fixed=True)
"""Of factors that no settings can name: those of Lockgate itself."""
