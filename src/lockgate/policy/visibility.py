"""What of a list does this principal get to see?"""

from typing import Any

from lockgate.model import (
    Call,
    Catalogue,
    Effect,
    FactKey,
    Facts,
    Item,
    Obligation,
    Principal,
    Upstream,
    Verdict,
)
from lockgate.policy.authorizer import Authorizer, Outlook
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.entities import LONGEST, Kind, as_policy_sees, item_uid
from lockgate.policy.recent import Recent

_KEPT = 16_384
# What a client does with an entry of this list, and what it then acts on.
_USES: dict[str, tuple[str, Kind]] = {
    "tools/list": ("tools/call", "Tool"),
    "prompts/list": ("prompts/get", "Prompt"),
    "resources/list": ("resources/read", "Resource"),
    "resources/templates/list": ("resources/read", "Resource"),
}
_TEMPLATES = "resources/templates/list"


class Visibility:
    """Hides each entry that no call could be permitted to use; marks as ``conditional`` each whose
    use depends on arguments, approvals or time. Whether the list itself may be asked for is
    ``policy.cedar``'s to say.

    It asks the call's own question with an unknown context, so a list never shows as usable what
    the call refuses. A call that policy cannot read (``policy.argument-type``) is refused besides.

    A resource template is judged as a resource whose URI is the template: rules about the upstream
    decide it, rules about single URIs do not match. Its URIs are not known yet, so it is at best
    conditional, and a permit for one URI alone does not show it.

    The gateway itself sees everything: that is how the catalogue is learnt.
    """

    id = "policy.visibility"
    needs: frozenset[FactKey[Any]] = frozenset()

    def __init__(self, bundle: PolicyBundle) -> None:
        self._authorizer = Authorizer(bundle)
        self._known: Recent[tuple[Principal, Upstream, str, str], Outlook] = Recent(_KEPT)

    def check(self, subject: Catalogue, facts: Facts) -> Verdict:  # noqa: ARG002
        obligations: tuple[Obligation, ...] = ()
        if subject.call.principal.kind != "system":
            who = as_policy_sees(subject.call.principal)
            made = (self._obligation(who, subject.call, item) for item in subject.items)
            obligations = tuple(o for o in made if o is not None)
        return Verdict(self.id, Effect.PERMIT, "policy.listed", obligations=obligations)

    def _obligation(self, who: Principal, call: Call, item: Item) -> Obligation | None:
        key = (who, call.upstream, call.method, item.name)
        if len(item.name) <= LONGEST:
            outlook = self._known.get(key, lambda: self._outlook(*key))
        else:
            outlook = self._outlook(*key)
        match outlook:
            case "denied":
                return Obligation("hide", item.pointer)
            case "conditional":
                return Obligation("conditional", item.pointer)
            case "permitted":
                return None

    def _outlook(self, principal: Principal, upstream: Upstream, method: str, name: str) -> Outlook:
        if not name or method not in _USES:
            return "denied"
        action, kind = _USES[method]
        uid = item_uid(upstream, kind, name)
        if uid is None:
            return "denied"
        outlook = self._authorizer.foresee(principal, upstream, action, uid)
        return "conditional" if method == _TEMPLATES and outlook == "permitted" else outlook
