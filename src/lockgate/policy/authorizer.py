"""Cedar, asked in the only two ways Lockgate asks it, so that lists and calls cannot disagree."""

import re
from collections.abc import Collection
from typing import Literal

import cedarpy
import msgspec
import orjson

from lockgate.model import Principal, Upstream
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.entities import Uid, action_uid, as_policy_sees, entities_of, principal_uid
from lockgate.policy.mapping import Request
from lockgate.policy.recent import Recent
from lockgate.policy.rule import may_fail

_KEPT = 1024
_FAILED_POLICY = re.compile(r"while evaluating policy `([^`]*)`")

Outlook = Literal["permitted", "conditional", "denied"]
"""What can become of a call whose arguments, approvals and time are not known yet."""


class Answer(msgspec.Struct, frozen=True):
    outcome: Literal["allow", "deny", "error"]
    because: tuple[str, ...] = ()
    """Ids of the determining policies, or of those that failed; sorted."""


class Authorizer:
    """Cedar's authorizer over one bundle. Pure: what it keeps, it could work out again.

    Cedar skips a policy that fails to evaluate, also a forbid. Here any failure is an error.
    """

    def __init__(self, bundle: PolicyBundle) -> None:
        self.bundle = bundle
        self._entities: Recent[tuple[Principal, Upstream, Uid], cedarpy.Entities] = Recent(_KEPT)

    def is_authorized(
        self,
        principal: Principal,
        upstream: Upstream,
        request: Request,
        approvals: Collection[str],
        now: int,
    ) -> Answer:
        """The full decision. ``now``: milliseconds since the Unix epoch."""
        try:
            result = cedarpy.is_authorized(
                request.cedar(approvals, now),
                self.bundle.policies,
                self._entities_of(principal, upstream, request.resource),
                self.bundle.schema,
            )
        except (ValueError, orjson.JSONEncodeError):
            return Answer("error")
        said = result.diagnostics
        if said.errors or result.decision is cedarpy.Decision.NoDecision:
            return Answer("error", _failed(said.errors))
        because = tuple(sorted(said.reasons))
        return Answer("allow" if result.allowed else "deny", because)

    def foresee(
        self, principal: Principal, upstream: Upstream, method: str, resource: Uid
    ) -> Outlook:
        """The same question with an unknown context (Cedar's partial evaluation).

        ``permitted``: whatever the context. ``denied``: whatever the context. What cannot be
        evaluated is denied.
        """
        action = action_uid(method)
        if action is None:
            return "denied"
        schema = self.bundle.schema
        try:
            result = cedarpy.is_authorized_partial(
                {
                    "principal": principal_uid(principal).text(),
                    "action": action.text(),
                    "resource": resource.text(),
                },
                self.bundle.policies,
                entities_of(principal, upstream, resource, schema),
                schema,
            )
        except (ValueError, orjson.JSONEncodeError):
            return "denied"
        if result.diagnostics.errors or result.decision is cedarpy.Decision.Deny:
            return "denied"
        return "permitted" if _is_certain(result) else "conditional"

    def _entities_of(
        self, principal: Principal, upstream: Upstream, resource: Uid
    ) -> cedarpy.Entities:
        key = (as_policy_sees(principal), upstream, resource)
        return self._entities.get(key, lambda: entities_of(*key, self.bundle.schema))


def _is_certain(result: cedarpy.PartialAuthzResult) -> bool:
    # A permit that still depends on the context cannot turn an Allow into a Deny, but one that
    # may fail to evaluate can.
    left = [result.residuals.get(name) for name in result.diagnostics.nontrivial_residuals]
    return result.decision is cedarpy.Decision.Allow and not any(map(may_fail, left))


def _failed(errors: list[str]) -> tuple[str, ...]:
    # Only the ids: Cedar's messages quote argument values.
    return tuple(sorted({name for error in errors for name in _FAILED_POLICY.findall(error)}))
