from typing import Any

import msgspec
import pytest

from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Call,
    Effect,
    Fact,
    FactKey,
    Facts,
    Known,
    Obligation,
    Unknown,
    Verdict,
    binding_of,
)
from lockgate.pipeline.control import Control
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.mapping import ArgumentMapping
from worlds import CLINIC, call, list_call

MAPPING = ArgumentMapping({("clinic", "pay"): {"n": "long", "who": "string"}})
ALL = '@id("all") permit(principal, action, resource);'
NOON = 1_000_000
MAX = 2**63 - 1
NO_APPROVALS: Known[tuple[Approval, ...]] = Known(())


def held(factor: str, condition: str = "true") -> str:
    return (
        f'@id("ask-{factor}") @hold("{factor}") forbid(principal, action, resource) '
        f'when {{ {condition} }} unless {{ context.approvals.contains("{factor}") }};'
    )


def when(condition: str, effect: str = "permit", id: str = "p") -> str:
    return f'@id("{id}") {effect}(principal, action, resource) when {{ {condition} }};'


def bundle(*policies: str) -> PolicyBundle:
    return PolicyBundle.compile({"a": "\n".join(policies)}, MAPPING)


def approved(policy: PolicyBundle, asked: Call, *factors: str) -> Known[tuple[Approval, ...]]:
    question = binding_of(asked, {"policy.cedar": check(policy, asked).grounds})
    return Known(tuple(Approval(f, question, f, ("os:carol",), NOON + 1) for f in factors))


def check(
    policy: PolicyBundle,
    asked: Call,
    approvals: Fact[tuple[Approval, ...]] = NO_APPROVALS,
    now: Fact[int] = Known(NOON),  # noqa: B008 - frozen
) -> Verdict:
    known: dict[FactKey[Any], Known[Any] | Unknown] = {APPROVALS: approvals, NOW: now}
    control: Control[Call] = CedarPolicy(policy)
    assert control.needs == known.keys()
    return control.check(asked, Facts(known))


def said(verdict: Verdict) -> tuple[Effect, str, tuple[str, ...]]:
    return verdict.effect, verdict.reason, verdict.because


PAY = call("pay", n=5)


@pytest.mark.parametrize(
    ("policies", "effect", "reason", "because"),
    [
        ((), Effect.DENY, "policy.no-rule", ("default deny",)),
        ((ALL,), Effect.PERMIT, "policy.permitted", ("all",)),
        ((ALL, when("true")), Effect.PERMIT, "policy.permitted", ("all", "p")),
        ((ALL, when("true", "forbid", "f")), Effect.DENY, "policy.denied", ("f",)),
        ((when("true", "forbid", "f"),), Effect.DENY, "policy.denied", ("f",)),
        ((when(f"context.now > {NOON}"),), Effect.DENY, "policy.no-rule", ("default deny",)),
        ((when(f"context.now == {NOON}"),), Effect.PERMIT, "policy.permitted", ("p",)),
        ((ALL, when(f"context.now + {MAX} > 1")), Effect.DENY, "policy.error", ("p",)),
        ((ALL, when(f"context.now + {MAX} > 1", "forbid")), Effect.DENY, "policy.error", ("p",)),
    ],
)
def test_decides_as_cedar_but_never_skips_a_failure(
    policies: tuple[str, ...], effect: Effect, reason: str, because: tuple[str, ...]
) -> None:
    assert said(check(bundle(*policies), PAY)) == (effect, reason, because)


def test_arguments_decide() -> None:
    policy = bundle(when("context.arguments has n && context.arguments.n <= 5"))
    assert check(policy, PAY).effect is Effect.PERMIT
    assert check(policy, call("pay", n=6)).effect is Effect.DENY
    assert check(policy, call("pay")).effect is Effect.DENY
    assert check(policy, call("other", n=5)).effect is Effect.DENY


def test_an_argument_of_another_type_is_denied_whatever_the_policies() -> None:
    assert said(check(bundle(ALL), call("pay", n="5"))) == (
        Effect.DENY,
        "policy.argument-type",
        ("argument:n",),
    )


def test_what_policy_has_no_word_for_is_denied() -> None:
    odd = msgspec.structs.replace(CLINIC, name="a/b")
    for asked in (list_call("logging/setLevel"), call("x", upstream=odd)):
        assert said(check(bundle(ALL), asked)) == (Effect.DENY, "policy.error", ())


def test_without_the_time_nothing_is_permitted() -> None:
    assert check(bundle(ALL), PAY, now=Unknown("no clock")).reason == "policy.error"


def test_a_hold_asks_for_the_factor() -> None:
    verdict = check(bundle(ALL, held("owner")), PAY)
    assert said(verdict) == (Effect.HOLD, "approval.needed", ("ask-owner",))
    assert verdict.factors == ("owner",)


def test_a_hold_is_lifted_by_the_approval_it_asks_for() -> None:
    policy = bundle(ALL, held("owner"))
    verdict = check(policy, PAY, approved(policy, PAY, "owner"))
    assert said(verdict) == (Effect.PERMIT, "policy.permitted", ("all", "approval:owner"))


def test_an_approval_of_something_else_lifts_nothing() -> None:
    policy = bundle(ALL, held("owner"))
    (given,) = approved(policy, PAY, "owner").value
    other_policy = approved(bundle(ALL, when("true"), held("owner")), PAY, "owner").value
    other_call = approved(policy, call("pay", n=6), "owner").value
    expired = (msgspec.structs.replace(given, expires=NOON),)
    other_factor = (msgspec.structs.replace(given, factor="peer"),)
    for wrong in (other_policy, other_call, expired, other_factor):
        assert check(policy, PAY, Known(wrong)).effect is Effect.HOLD


def test_a_yes_stands_while_those_who_decided_say_the_same() -> None:
    policy = bundle(ALL, held("owner"))
    given = approved(policy, PAY, "owner")
    elsewhere = when('principal == Person::"nobody"', "forbid", "new")
    assert check(bundle(ALL, held("owner"), elsewhere), PAY, given).effect is Effect.PERMIT
    changed = held("owner", "context.arguments has n")
    assert check(bundle(ALL, changed), PAY, given).effect is Effect.HOLD


def test_several_factors_are_asked_for_at_once() -> None:
    policy = bundle(ALL, held("owner"), held("security"))
    assert check(policy, PAY).factors == ("owner", "security")
    one = check(policy, PAY, approved(policy, PAY, "owner"))
    assert (one.effect, one.factors) == (Effect.HOLD, ("security",))
    both = check(policy, PAY, approved(policy, PAY, "owner", "security"))
    assert both.effect is Effect.PERMIT
    assert both.because == ("all", "approval:owner", "approval:security")
    assert both.used == ("owner", "security")


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        ((held("owner"),), "policy.no-rule"),
        ((ALL, held("owner"), when("true", "forbid", "f")), "policy.denied"),
        (
            (ALL, held("owner"), when('context.approvals.contains("owner")', "forbid", "f")),
            "policy.denied",
        ),
        (
            (
                ALL,
                held("owner"),
                when(f'context.approvals.contains("owner") && context.now + {MAX} > 1', id="f"),
            ),
            "policy.error",
        ),
    ],
)
def test_nobody_is_asked_about_a_doomed_call(policies: tuple[str, ...], reason: str) -> None:
    verdict = check(bundle(*policies), PAY)
    assert (verdict.effect, verdict.reason) == (Effect.DENY, reason)


def test_every_determining_forbid_must_be_a_question() -> None:
    unasked = (
        '@id("f") forbid(principal, action, resource) '
        'unless { context.approvals.contains("owner") };'
    )
    verdict = check(bundle(ALL, held("owner"), unasked), PAY)
    assert said(verdict) == (Effect.DENY, "policy.denied", ("ask-owner", "f"))


def test_who_has_said_yes_is_not_asked_again() -> None:
    two = (
        '@id("two") @hold("owner") forbid(principal, action, resource) unless '
        '{ context.approvals.contains("owner") && context.approvals.contains("security") };'
    )
    policy = bundle(ALL, two, held("security"))
    verdict = check(policy, PAY, approved(policy, PAY, "owner"))
    assert (verdict.effect, verdict.factors) == (Effect.HOLD, ("security",))
    alone = bundle(ALL, two)
    assert check(alone, PAY, approved(alone, PAY, "owner")).reason == "policy.denied"


def test_an_approval_that_made_no_difference_is_not_named() -> None:
    policy = bundle(ALL)
    assert check(policy, PAY, approved(policy, PAY, "owner")).because == ("all",)


def test_unknown_approvals_never_lift_and_never_ask() -> None:
    unknown = Unknown("store: locked")
    assert check(bundle(ALL, held("owner")), PAY, unknown).reason == "approval.unknown"
    assert check(bundle(ALL), PAY, unknown).effect is Effect.PERMIT
    assert check(bundle(), PAY, unknown).reason == "policy.no-rule"


def test_a_permit_may_demand_that_arguments_are_dropped() -> None:
    drop = (
        '@id("d") @drop("/arguments/who /arguments/more/a/x") permit(principal, action, resource);'
    )
    policy = bundle(ALL, drop)
    whole = check(policy, call("pay", who="x", more={"a": {"x": 1}}))
    assert whole.obligations == (
        Obligation("drop", "/arguments/more/a/x"),
        Obligation("drop", "/arguments/who"),
    )
    assert check(policy, call("pay", more={"a": []}, n=1)).obligations == ()
    assert check(policy, call("pay", more=[{"a": {"x": 1}}])).obligations == ()


@pytest.mark.parametrize("more", [{"DEBUG": 1}, {"debug": 1, "Debug": 2}, {"deep": {"A": {}}}])
def test_what_is_to_be_dropped_has_one_spelling(more: dict[str, Any]) -> None:
    drop = '@id("d") @drop("/arguments/debug /arguments/deep/a/x") ' + ALL.removeprefix(
        '@id("all") '
    )
    for policy in (bundle(ALL, drop), bundle(drop, held("owner"))):
        verdict = check(policy, call("pay", **more))
        assert (verdict.effect, verdict.reason) == (Effect.DENY, "policy.argument-type")
        assert verdict.because[0].startswith("drop:/arguments/de")
        assert verdict.obligations == ()
        assert check(policy, call("pay", debug=1)).obligations
    assert check(bundle(ALL), call("pay", **more)).effect is Effect.PERMIT


def test_a_hold_says_what_will_be_dropped() -> None:
    drop = '@id("d") @drop("/arguments/who") permit(principal, action, resource);'
    verdict = check(bundle(drop, held("owner")), call("pay", who="x"))
    assert (verdict.effect, verdict.obligations) == (
        Effect.HOLD,
        (Obligation("drop", "/arguments/who"),),
    )


def test_a_drop_of_a_permit_that_does_not_apply_is_not_owed() -> None:
    drop = '@id("d") @drop("/arguments/who") ' + when("context.arguments has n", id="x")[9:]
    assert check(bundle(ALL, drop), call("pay", who="x")).obligations == ()
