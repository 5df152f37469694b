"""What ``lockgate.yaml`` may say of people who are asked."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from lockgate.app.settings_channels import ChannelSettings
from lockgate.app.settings_issuers import IssuerSettings, namespace_of
from lockgate.app.settings_kinds import Closed, Identity, Name, UpstreamName, listed, refuse
from lockgate.approval.rules import MINUTE_MS, ApprovalRules, FactorRule
from lockgate.control_plane.services.privileges import Rules

Factor = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Pointer = Annotated[str, StringConstraints(pattern=r"^(/([^~/]|~0|~1)+)+$", max_length=256)]
_NO_ROLES = Rules()
_NO_ISSUERS: Mapping[str, IssuerSettings] = {}
_MANY = {"type": "array", "items": {"type": "string"}}
Identities = Annotated[
    tuple[Identity, ...], BeforeValidator(listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, _MANY]}),
]  # fmt: skip
Groups = Annotated[
    tuple[Name, ...], BeforeValidator(listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, _MANY]}),
]  # fmt: skip


class FactorSettings(Closed):
    """Whose yes one factor is. Several ways add up; none: whoever holds the role approver."""

    people: Identities = ()
    """Who may answer: oidc:SUBJECT of the console's issuer, or os:ACCOUNT."""
    groups: Groups = ()
    """Directory groups whose members may answer."""
    relation: Name | None = None
    """Whoever stands in this relation to what argument names may answer, for instance lead."""
    argument: Pointer | None = None
    """JSON pointer of the argument that the relation is about, for instance /patient_id."""
    count: Annotated[int, Field(ge=1, le=5)] = 1
    """How many different people must say yes."""
    confirm: bool = False
    """The acting person confirms it themselves, in the console; nobody else can."""
    step_up: bool = False
    """A yes takes a fresh and strong sign-in."""
    on_retry: bool = False
    """The call runs when its client comes again: for upstreams that ask the client something."""
    minutes: Annotated[float, Field(gt=0, le=1440)] = 15
    """How long the question waits."""
    window_minutes: Annotated[float, Field(gt=0, le=1440)] = 5
    """How long after the last yes it may still run."""
    escalate_to: Identities = ()
    """Who may answer too, once it has waited for escalate_minutes."""
    escalate_minutes: Annotated[float, Field(ge=0, le=1440)] = 5
    """See escalate_to."""

    @model_validator(mode="after")
    def _whole(self) -> "FactorSettings":
        if (self.relation is None) != (self.argument is None):
            raise refuse("relation and argument together", "Say which argument names what the "
                         "relation is about.", ("argument",))  # fmt: skip
        named = self.people or self.groups or self.relation or self.escalate_to
        if self.confirm and (named or self.count > 1):
            raise refuse("confirm alone", "Only the acting person confirms; take people, groups, "
                         "relation and count out.", ("confirm",))  # fmt: skip
        return self


class Approvals(Closed):
    """People who are asked before a call runs."""

    factors: dict[Factor, FactorSettings] = {}
    """By the factor that a tool's hold or a policy's @hold names."""
    vetoers: Identities = ()
    """Who may stop any of them, besides holders of the admin role responder."""
    channels: dict[UpstreamName, ChannelSettings] = {}
    """Where approvers are told that a question waits, by any name."""


def approval_rules_of(
    settings: Approvals,
    admin: Rules = _NO_ROLES,
    issuers: Mapping[str, IssuerSettings] = _NO_ISSUERS,
) -> ApprovalRules:
    """``admin``: who gives roles, and whose each account of the machine is. Without it nobody gives
    any. ``issuers``: whose names for people have something put before them."""
    found = {name: _rule(one, admin) for name, one in settings.factors.items()}
    vetoers = frozenset(_named(settings.vetoers, admin))
    before = frozenset(namespace_of(name, one) for name, one in issuers.items()) - {""}
    return ApprovalRules({**found, **admin.factors}, vetoers, before)


def _named(identities: tuple[str, ...], admin: Rules) -> tuple[str, ...]:
    """An account that is also somebody's at the identity provider counts as that person."""
    named = (one.partition(":") for one in identities)
    return tuple(admin.identity_of(name) if kind == "os" else f"{kind}:{name}"
                 for kind, _, name in named)  # fmt: skip


def _rule(one: FactorSettings, admin: Rules) -> FactorRule:
    return FactorRule(
        people=frozenset(_named(one.people, admin)),
        groups=frozenset(one.groups),
        relation=one.relation or "",
        argument=one.argument or "",
        count=one.count,
        confirm=one.confirm,
        step_up=one.step_up,
        on_retry=one.on_retry,
        pending=int(one.minutes * MINUTE_MS),
        window=int(one.window_minutes * MINUTE_MS),
        escalate_to=_named(one.escalate_to, admin),
        escalate_after=int(one.escalate_minutes * MINUTE_MS),
    )
