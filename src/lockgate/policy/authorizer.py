"""Cedar, asked in the only two ways Lockgate asks it, so that lists and calls cannot disagree."""

import hashlib
import re
from collections.abc import Collection
from typing import Literal

import cedarpy
import msgspec
import orjson

from lockgate.model import Principal, Upstream
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.entities import (
    LONGEST,
    Uid,
    action_uid,
    as_policy_sees,
    entities_of,
    principal_uid,
)
from lockgate.policy.mapping import Request
from lockgate.policy.recent import Recent
from lockgate.policy.rule import may_fail, policy_set
from lockgate.policy.scope import fits, reads_time

_KEPT = 1024
_ANSWERS = 4096
_FAILED_POLICY = re.compile(r"while evaluating policy `([^`]*)`")

Outlook = Literal["permitted", "conditional", "denied"]
"""What can become of a call whose arguments, approvals and time are not known yet."""


class Answer(msgspec.Struct, frozen=True):
    outcome: Literal["allow", "deny", "error"]
    because: tuple[str, ...] = ()
    """Ids of the determining policies, or of those that failed; sorted."""


class _Part(msgspec.Struct, frozen=True, eq=False):
    """The policies that can have a say in some kind of call."""

    policies: cedarpy.PolicySet
    timed: bool
    """Whether any of them may read the time. The others are told none, so that their answer to the
    same question stays the same."""


class _Prepared(msgspec.Struct, frozen=True, eq=False):
    part: _Part
    entities: cedarpy.Entities


_Place = tuple[Principal, Upstream, Uid, Uid]
"""Who (as policy sees them), which upstream, the action and the resource."""


class Authorizer:
    """Cedar's authorizer over one bundle. Pure: what it keeps, it could work out again, and each
    answer is kept under all that policies can read.

    Cedar skips a policy that fails to evaluate, also a forbid. Here any failure is an error.
    """

    def __init__(self, bundle: PolicyBundle) -> None:
        self.bundle = bundle
        self._parts: Recent[tuple[str, ...], _Part] = Recent(_KEPT)
        self._prepared: Recent[_Place, _Prepared] = Recent(_KEPT)
        self._answers: Recent[tuple[_Place, bytes], Answer] = Recent(_ANSWERS)
        # By digest: a value of a call does not outlive it.

    def is_authorized(
        self,
        principal: Principal,
        upstream: Upstream,
        request: Request,
        approvals: Collection[str],
        now: int,
    ) -> Answer:
        """The full decision. ``now``: milliseconds since the Unix epoch."""
        place = (as_policy_sees(principal), upstream, request.action, request.resource)
        try:
            lasting = len(request.resource.id) <= LONGEST
            prepared = self._prepare(place) if lasting else self._make(*place)
            context = request.context(approvals, now if prepared.part.timed else 0)
            if not lasting:
                return self._decide(prepared, request, context)
            key = (place, hashlib.sha256(context.encode()).digest())
            return self._answers.get(key, lambda: self._decide(prepared, request, context))
        except (ValueError, orjson.JSONEncodeError):
            return Answer("error")

    def _decide(self, prepared: _Prepared, request: Request, context: str) -> Answer:
        result = cedarpy.is_authorized(
            request.cedar(context), prepared.part.policies, prepared.entities, self.bundle.schema
        )
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
        place = (as_policy_sees(principal), upstream, action, resource)
        try:
            prepared = self._make(*place)  # not kept: who asks this keeps the answer
            result = cedarpy.is_authorized_partial(
                {
                    "principal": principal_uid(principal).text(),
                    "action": action.text(),
                    "resource": resource.text(),
                },
                prepared.part.policies,
                prepared.entities,
                self.bundle.schema,
            )
        except (ValueError, orjson.JSONEncodeError):
            return "denied"
        if result.diagnostics.errors or result.decision is cedarpy.Decision.Deny:
            return "denied"
        return "permitted" if _is_certain(result) else "conditional"

    def _prepare(self, place: _Place) -> _Prepared:
        return self._prepared.get(place, lambda: self._make(*place))

    def _make(
        self, principal: Principal, upstream: Upstream, action: Uid, resource: Uid
    ) -> _Prepared:
        rules = self.bundle.rules
        names = tuple(
            name
            for name, rule in rules.items()
            if fits(rule.cedar, principal, upstream, action, resource)
        )
        entities = entities_of(principal, upstream, resource, self.bundle.schema)
        return _Prepared(self._parts.get(names, lambda: self._part(names)), entities)

    def _part(self, names: tuple[str, ...]) -> _Part:
        bodies = {name: self.bundle.rules[name].cedar for name in names}
        return _Part(policy_set(bodies), any(map(reads_time, bodies.values())))


def _is_certain(result: cedarpy.PartialAuthzResult) -> bool:
    # A permit that still depends on the context cannot turn an Allow into a Deny, but one that
    # may fail to evaluate can.
    left = [result.residuals.get(name) for name in result.diagnostics.nontrivial_residuals]
    return result.decision is cedarpy.Decision.Allow and not any(map(may_fail, left))


def _failed(errors: list[str]) -> tuple[str, ...]:
    # Only the ids: Cedar's messages quote argument values.
    return tuple(sorted({name for error in errors for name in _FAILED_POLICY.findall(error)}))
