"""The shipped controls, each with subjects of its kind and facts under which it could say yes."""

from typing import Any

import msgspec

from lockgate.model import (
    APPROVALS,
    NOW,
    QUOTA,
    Call,
    Catalogue,
    FactKey,
    Known,
    Notice,
    Reply,
    Reservation,
)
from lockgate.pipeline.control import Control
from lockgate.pipeline.lists import catalogue_of
from support.world import shipped_order
from worlds import call, list_call

HELD = """
permit(principal, action, resource);
@hold("owner") forbid(
  principal, action == Action::"tools/call", resource == Tool::"clinic/get_patient"
)
  unless { context.approvals.contains("owner") };
"""


class Shipped(msgspec.Struct, frozen=True):
    control: Control[Any]
    subjects: tuple[Any, ...]
    guarded: Any
    """A subject that the control must not let pass without its facts."""
    facts: dict[FactKey[Any], Known[Any]]


def facts_for() -> dict[FactKey[Any], Known[Any]]:
    return {
        NOW: Known(1_000),
        QUOTA: Known(Reservation("person:alice", True, True, 60, 8)),
        APPROVALS: Known(()),
    }


def shipped() -> list[Shipped]:
    """Every control of the shipped order, under a policy that holds what is guarded."""
    order = shipped_order(HELD, {("clinic", "get_patient"): "owner"})
    kinds: list[tuple[tuple[Control[Any], ...], tuple[Any, ...]]] = [
        (order.on_call, calls()),
        (order.on_reply, replies()),
        (order.on_list, lists()),
        (order.on_notice, notices()),
    ]
    return [
        Shipped(control, subjects, subjects[0], facts_for())
        for controls, subjects in kinds
        for control in controls
    ]


def calls() -> tuple[Call, ...]:
    return (call(patient_id="p-1"), call("read_notes"), list_call())


def replies() -> tuple[Reply, ...]:
    return (
        Reply(call(), b'{"content":[]}'),
        Reply(call(), b'{"code":-32602,"message":"no"}', is_error=True),
        Reply(call(), b"[]"),
    )


def lists() -> tuple[Catalogue, ...]:
    raw = b'{"tools":[{"name":"get_patient","inputSchema":{}},{"inputSchema":{}}]}'
    return (catalogue_of(Reply(list_call(), raw)),)


def notices() -> tuple[Notice, ...]:
    return (
        Notice(call(), "notifications/progress", b'{"progress":1}'),
        Notice(call(), "notifications/message", b"{}"),
    )
