"""Which policies can have a say at all: those whose scope fits who asks, what for and about what.

A policy whose scope does not match is never satisfied and cannot fail, so Cedar answers the same
without it, and faster.
"""

from collections.abc import Mapping
from typing import Any

from lockgate.model import Principal, Upstream
from lockgate.policy.entities import GROUPS, Uid, principal_uid


def fits(cedar: Mapping[str, Any], principal: Principal, upstream: Upstream, action: Uid,
         resource: Uid) -> bool:  # fmt: skip
    """Whether the scope of a policy, in Cedar's JSON form, matches. An operator that is not known
    here matches: then Cedar says."""
    above = Uid("Upstream", upstream.name)
    return (
        _matches(cedar["principal"], principal_uid(principal), _roles(principal))
        and _matches(cedar["action"], action, _groups(action))
        and _matches(cedar["resource"], resource, {above} - {resource})
    )


def reads_time(cedar: Any) -> bool:
    """Whether a policy may look at ``context.now``."""
    if isinstance(cedar, list):
        return any(map(reads_time, cedar))
    if not isinstance(cedar, dict):
        return False
    if cedar.get("Var") == "context":
        return True
    # ``context.arguments`` and ``context.approvals`` look at the context, but not at the time.
    looked = cedar.get(".")
    if isinstance(looked, dict) and looked.get("left") == {"Var": "context"}:
        return looked.get("attr") not in ("arguments", "approvals")
    return any(map(reads_time, cedar.values()))


def _matches(scope: Mapping[str, Any], uid: Uid, groups: frozenset[Uid] | set[Uid]) -> bool:
    match scope["op"]:
        case "==":
            return _named(scope["entity"]) == uid
        case "in":
            listed = scope["entities"] if "entities" in scope else [scope["entity"]]
            return any(_named(one) == uid or _named(one) in groups for one in listed)
        case "is":
            within = scope.get("in")
            fitting = bool(scope["entity_type"] == uid.type)
            return fitting and (within is None or _matches({"op": "in", **within}, uid, groups))
        case _:
            return True


def _named(entity: Mapping[str, str]) -> Uid:
    return Uid(entity["type"], entity["id"])


def _roles(principal: Principal) -> frozenset[Uid]:
    return frozenset(Uid("Role", role) for role in principal.roles)


def _groups(action: Uid) -> frozenset[Uid]:
    known = (name for name, methods in GROUPS.items() if action.id in methods)
    return frozenset(Uid("Action", name) for name in known)
