"""The order of controls. This file is the only place where it is decided."""

from typing import Any

import msgspec

from lockgate.approval.gate import ApprovalGate, Marks
from lockgate.inspection.asks import AskShape
from lockgate.inspection.notices import NoticeShape
from lockgate.inspection.schema import ArgumentsMatchSchema
from lockgate.inspection.shapes import ReplyShape
from lockgate.model import Call, Catalogue, FactKey, Notice, Reply
from lockgate.pipeline.control import Control
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.quota import Quota
from lockgate.policy.visibility import Visibility


class Order(msgspec.Struct, frozen=True):
    """Every control in force, for each kind of subject. Replaced whole when policy changes."""

    on_call: tuple[Control[Call], ...]
    on_reply: tuple[Control[Reply], ...]
    on_list: tuple[Control[Catalogue], ...]
    on_notice: tuple[Control[Notice], ...]
    policy: str
    """Hash of the policy set these controls were built from."""

    on_own: tuple[Control[Call], ...] = ()
    """For calls to tools of the gateway's own, which reach no upstream: policy does not name them.
    What they hand out is judged by ``on_kept`` and ``on_reply``."""
    on_kept: tuple[Control[Call], ...] = ()
    """Asked about a call that ran before what came of it is handed out later: nothing goes out to
    whom it would be denied now. A call that would be held is not denied."""
    holds: bool = False
    """Whether anybody may be asked about a call at all."""

    needs: frozenset[FactKey[Any]] = frozenset()
    """Every fact that any control may ask for about a call or its answer. Worked out."""

    def __post_init__(self) -> None:
        asked: tuple[Control[Any], ...] = (
            *self.on_call,
            *self.on_reply,
            *self.on_list,
            *self.on_notice,
        )
        needed = frozenset(key for control in asked for key in control.needs)
        msgspec.structs.force_setattr(self, "needs", needed)


def order(policy: PolicyBundle, marks: Marks) -> Order:
    """The shipped order. The result does not depend on it, only the cost does."""
    quota, schema, cedar = Quota(), ArgumentsMatchSchema(), CedarPolicy(policy)
    return Order(
        on_call=(
            quota,  # cheap first
            schema,
            AskShape(),
            cedar,
            ApprovalGate(marks),  # people last: never ask about a doomed call
        ),
        on_reply=(ReplyShape(),),
        on_list=(Visibility(policy),),
        on_notice=(NoticeShape(),),
        policy=policy.hash,
        on_own=(quota, schema),
        on_kept=(cedar,),
        holds=bool(marks) or any(rule.hold for rule in policy.rules.values()),
    )


def own(order: Order) -> Order:
    """For a call to one of the gateway's own tools."""
    return Order(order.on_own, order.on_reply, (), (), order.policy)
