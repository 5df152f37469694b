"""The entities of one call: who asks, about what, and the groups both are in."""

from functools import lru_cache
from typing import Any, Literal

import cedarpy
import msgspec
import orjson

from lockgate.model import Call, Principal, Upstream

Kind = Literal["Tool", "Prompt", "Resource", "Upstream"]

READS = ("resources/read", "resources/subscribe", "prompts/get", "completion/complete")
"""Methods in the action group ``Action::"read"``."""
LISTS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")
"""Methods in the action group ``Action::"list"``."""
ASKS = ("elicitation/create", "sampling/createMessage", "roots/list")
"""Methods in the action group ``Action::"ask"``: may this upstream ask this principal?"""
TASKS = ("tasks/get", "tasks/update", "tasks/cancel")
"""Methods in the action group ``Action::"task"``: may this principal follow a call of this tool
that goes on after its answer? The arguments of that call are not known any more, so a permit that
reads arguments permits none of them."""
GROUPS = {"read": READS, "list": LISTS, "ask": ASKS, "task": TASKS}
"""Action groups, and the methods in each."""
ACTIONS = ("tools/call", *(method for methods in GROUPS.values() for method in methods))
"""Actions are named exactly as MCP names the methods."""

_PRINCIPAL_TYPES = {"person": "Person", "service": "Service", "system": "System"}
_TARGETS: dict[str, Kind] = {
    "tools/call": "Tool",
    "prompts/get": "Prompt",
    "resources/read": "Resource",
    "resources/subscribe": "Resource",
    "resources/unsubscribe": "Resource",
}
_SAME = {"resources/unsubscribe": "resources/subscribe"}
"""Methods that are another one's action: whoever may begin something may end it."""
_REFERENCES: dict[str, Kind] = {"ref/prompt": "Prompt", "ref/resource": "Resource"}

LONGEST = 512
"""Characters of an id up to which anything is remembered under it: clients choose URIs of megabytes
as they please. The names of tools and prompts are shorter."""


class Uid(msgspec.Struct, frozen=True):
    """A Cedar entity's type and id."""

    type: str
    id: str

    def json(self) -> dict[str, str]:
        return {"type": self.type, "id": self.id}

    def text(self) -> str:
        """``Tool::"clinic/x"`` as Cedar itself writes it."""
        print_ = _known_print if len(self.id) <= LONGEST else _printed
        return print_(self.type, self.id)


def _printed(kind: str, name: str) -> str:
    # Cedar reads an id in surface syntax only in its own normal form, which depends on its Unicode
    # tables, so Cedar is asked to print it.
    rule = {"effect": "permit", "principal": {"op": "==", "entity": {"type": kind, "id": name}},
            "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}  # fmt: skip
    whole = {"staticPolicies": {"p": rule}, "templates": {}, "templateLinks": []}
    printed = cedarpy.policies_from_json_str(orjson.dumps(whole).decode())
    head, tail = "permit(principal == ", ", action, resource);"
    if not (printed.startswith(head) and printed.endswith(tail)):
        raise ValueError("Cedar prints policies in a form that is not known here")
    return printed[len(head) : -len(tail)]


_known_print = lru_cache(maxsize=4096)(_printed)


def action_uid(method: str) -> Uid | None:
    action = _SAME.get(method, method)
    return Uid("Action", action) if action in ACTIONS else None


def principal_uid(principal: Principal) -> Uid:
    return Uid(_PRINCIPAL_TYPES[principal.kind], principal.subject)


def as_policy_sees(principal: Principal) -> Principal:
    """Without what no policy can read: answers for two credentials of one person are the same."""
    return msgspec.structs.replace(principal, credential="", on_behalf="", login="")


def item_uid(upstream: Upstream, kind: Kind, name: str) -> Uid | None:
    """None for an upstream whose name holds ``/``: its ids could mean another upstream's things."""
    if "/" in upstream.name:
        return None
    return Uid(kind, upstream.name if kind == "Upstream" else f"{upstream.name}/{name}")


def resource_uid(call: Call) -> Uid | None:
    """What the call is about; None where that cannot be said."""
    if call.method in LISTS or call.method in ASKS:
        return item_uid(call.upstream, "Upstream", "")
    if call.method in TASKS:
        return item_uid(call.upstream, "Tool", call.tool.name) if call.tool else None
    kind = _TARGETS.get(call.method)
    if call.method == "completion/complete":
        kind = _referenced(call)
    return item_uid(call.upstream, kind, call.target) if kind else None


def entities_of(
    principal: Principal, upstream: Upstream, resource: Uid, schema: cedarpy.Schema
) -> cedarpy.Entities:
    """Everything policy can know about this call's principal and resource.

    The upstream's attributes stand on each of its tools, prompts and resources too, so that one
    rule reads them on any resource. Raises ``ValueError`` when Cedar refuses an entity.
    """
    described = {
        "name": upstream.name,
        "trust": upstream.trust,
        "region": upstream.region,
        "data_classes": sorted(upstream.data_classes),
    }
    above = Uid("Upstream", upstream.name)
    entities = [_principal(principal), _entity(above, described, ())]
    if resource.type != "Upstream":
        name = resource.id[len(upstream.name) + 1 :]
        entities.append(_entity(resource, {**described, "name": name}, (above,)))
    return cedarpy.Entities.from_json_str(orjson.dumps(entities).decode(), schema)


def _principal(principal: Principal) -> dict[str, Any]:
    attributes = {
        "subject": principal.subject,
        "agent": principal.agent,
        "owner": principal.owner,
        "authn": sorted(principal.authn),
        "actors": sorted(set(principal.actors)),
        "acr": principal.acr,
        "auth_time": principal.auth_time * 1_000,  # as `context.now`
        "scopes": sorted(principal.scopes),
        "workload": principal.workload,
    }
    roles = tuple(Uid("Role", role) for role in sorted(principal.roles))
    return _entity(principal_uid(principal), attributes, roles)


def _entity(uid: Uid, attributes: dict[str, Any], parents: tuple[Uid, ...]) -> dict[str, Any]:
    return {"uid": uid.json(), "attrs": attributes, "parents": [p.json() for p in parents]}


def _referenced(call: Call) -> Kind | None:
    # MCP 2026-07-28, completion/complete: ``ref`` names a prompt or a resource (template).
    reference = call.decoded.get("ref")
    if not isinstance(reference, dict):
        return None
    said = reference.get("type")
    return _REFERENCES.get(said) if isinstance(said, str) else None
