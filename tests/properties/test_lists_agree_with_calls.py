"""What a list shows is what a call permits; and Cedar's own theorems, as Lockgate uses Cedar.

Random policies from a small grammar over three tools, three roles, conditions on arguments and
time, holds and failures; then random calls.
"""

from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings

from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Call,
    Catalogue,
    Effect,
    Facts,
    Item,
    Known,
    Reply,
    Verdict,
    binding_of,
)
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.visibility import Visibility
from worlds import ALICE, CLINIC, call, list_call

TOOLS = ("read", "pay", 'it\'s "odd"\n')
MAPPING = ArgumentMapping({("clinic", t): {"n": "long", "s": "string"} for t in TOOLS})
MAX = 2**63 - 1

tool_text = st.sampled_from(["clinic/read", "clinic/pay", 'clinic/it\\\'s \\"odd\\"\\n'])
principals = st.sampled_from(
    [
        "principal",
        'principal in Role::"doctor"',
        'principal in Role::"nurse"',
        'principal == Person::"alice"',
        "principal is Service",
    ]
)
wide = ("action", 'action == Action::"tools/call"')
narrow = ('action in Action::"list"', 'action in Action::"read"')
lab, clinic = 'resource in Upstream::"lab"', 'resource in Upstream::"clinic"'
scopes = st.one_of(
    st.tuples(st.sampled_from(wide + narrow), st.sampled_from(["resource", clinic, lab])),
    st.tuples(st.sampled_from(wide), tool_text.map(lambda t: f'resource == Tool::"{t}"')),
)
atoms = st.sampled_from(
    [
        "context.arguments has n",
        "context.arguments has n && context.arguments.n > 3",
        'context.arguments has s && context.arguments.s like "a*"',
        "context.now > 5",
        'context.approvals.contains("owner")',
        'resource.trust == "internal"',
        'resource.name == "pay"',
        'principal.agent == "desk"',
        f"context.arguments has n && context.arguments.n + {MAX} > 0",
        f"{MAX} + 1 > 0",
        "true",
        "false",
    ]
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(lambda c: f"!({c})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda t: f"({t[0]}) {t[1]} ({t[2]})"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"if ({t[0]}) then ({t[1]}) else ({t[2]})"),
    ),
    max_leaves=4,
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    scope = f"({draw(principals)}, {', '.join(draw(scopes))})"
    effect = draw(st.sampled_from(["permit", "permit", "forbid"]))
    condition = f" when {{ {draw(conditions)} }}" if draw(st.booleans()) else ""
    if effect == "forbid" and draw(st.booleans()):
        factor = draw(st.sampled_from(["owner", "peer"]))
        lifted = f' unless {{ context.approvals.contains("{factor}") }}'
        return f'@hold("{factor}") forbid {scope}{condition}{lifted};'
    return f"{effect} {scope}{condition};"


policy_sets = st.lists(policies(), max_size=6)
argument_sets = st.fixed_dictionaries(
    {}, optional={"n": st.sampled_from([0, 3, 4, MAX]), "s": st.sampled_from(["", "a", "ab", "b"])}
)
factors = st.frozensets(st.sampled_from(["owner", "peer"]))
times = st.sampled_from([1, 5, 6])
roles = st.frozensets(st.sampled_from(["doctor", "nurse", "porter"]))


def compiled(texts: list[str], order: int = 1) -> PolicyBundle:
    """Each policy in a file of its own; the files in or against their order."""
    files = {f"p{at}": text for at, text in list(enumerate(texts))[::order]}
    return PolicyBundle.compile(files, MAPPING)


def judged(bundle: PolicyBundle, asked: Call, approved: frozenset[str], now: int) -> Verdict:
    control = CedarPolicy(bundle)
    held = control.check(asked, Facts({APPROVALS: Known(()), NOW: Known(now)}))
    question = binding_of(asked, {control.id: held.grounds})
    given_ = tuple(Approval(f, question, f, ("os:carol",), 100) for f in sorted(approved))
    return control.check(asked, Facts({APPROVALS: Known(given_), NOW: Known(now)}))


def shown(bundle: PolicyBundle, who: frozenset[str]) -> dict[str, str]:
    """Tool name to what the list says of it."""
    asked = msgspec.structs.replace(list_call(), principal=as_(who))
    items = tuple(Item(f"/tools/{at}", name) for at, name in enumerate(TOOLS))
    verdict = Visibility(bundle).check(Catalogue(Reply(asked, b"{}"), items), Facts({}))
    owed = {o.pointer: o.kind for o in verdict.obligations}
    return {item.name: owed.get(item.pointer, "shown") for item in items}


def as_(who: frozenset[str]) -> Any:
    return msgspec.structs.replace(ALICE, roles=who)


@settings(max_examples=250, deadline=None)
@given(
    policy_sets, roles, st.lists(st.tuples(argument_sets, factors, times), min_size=1, max_size=4)
)
def test_a_list_is_never_looser_nor_stricter_than_the_call(
    texts: list[str],
    who: frozenset[str],
    situations: list[tuple[dict[str, Any], frozenset[str], int]],
) -> None:
    """Hidden: every call is denied. Shown without condition: every call is permitted or held."""
    bundle = compiled(texts)
    seen = shown(bundle, who)
    for name in TOOLS:
        for arguments, approved, now in situations:
            effect = judged(bundle, call(name, as_(who), CLINIC, **arguments), approved, now).effect
            assert seen[name] != "hide" or effect is Effect.DENY
            assert seen[name] != "shown" or effect is not Effect.DENY


@settings(max_examples=100, deadline=None)
@given(policy_sets, roles)
def test_without_context_in_the_policies_nothing_is_conditional(
    texts: list[str], who: frozenset[str]
) -> None:
    plain = [t for t in texts if "context" not in t]
    bundle = compiled(plain)
    for name, seen in shown(bundle, who).items():
        effect = judged(bundle, call(name, as_(who)), frozenset(), 1).effect
        assert seen == ("shown" if effect is Effect.PERMIT else "hide")


situation = (policy_sets, roles, st.sampled_from(TOOLS), argument_sets, factors, times)


@settings(max_examples=100, deadline=None)
@given(*situation)
def test_forbid_trumps_permit(
    texts: list[str],
    who: frozenset[str],
    tool: str,
    arguments: dict[str, Any],
    approved: frozenset[str],
    now: int,
) -> None:
    bundle = compiled([*texts, "forbid(principal, action, resource);"])
    assert judged(bundle, call(tool, as_(who), **arguments), approved, now).effect is Effect.DENY
    assert set(shown(bundle, who).values()) == {"hide"}


@settings(max_examples=100, deadline=None)
@given(*situation)
def test_default_deny(
    texts: list[str],
    who: frozenset[str],
    tool: str,
    arguments: dict[str, Any],
    approved: frozenset[str],
    now: int,
) -> None:
    """What is permitted or held is so because of a permit."""
    forbids = compiled([t for t in texts if "permit " not in t])
    asked = call(tool, as_(who), **arguments)
    assert judged(forbids, asked, approved, now).effect is Effect.DENY
    verdict = judged(compiled(texts), asked, approved, now)
    if verdict.effect is Effect.PERMIT:
        determining = [compiled(texts).rules.get(name) for name in verdict.because]
        assert any(rule is not None and rule.effect == "permit" for rule in determining)


@settings(max_examples=100, deadline=None)
@given(*situation)
def test_order_does_not_matter(
    texts: list[str],
    who: frozenset[str],
    tool: str,
    arguments: dict[str, Any],
    approved: frozenset[str],
    now: int,
) -> None:
    one, other = compiled(texts), compiled(texts, order=-1)
    asked = call(tool, as_(who), **arguments)
    assert one.hash == other.hash
    assert judged(one, asked, approved, now) == judged(other, asked, approved, now)
    assert shown(one, who) == shown(other, who)


@settings(max_examples=100, deadline=None)
@given(*situation)
def test_a_hold_is_lifted_by_what_it_asks_for(
    texts: list[str],
    who: frozenset[str],
    tool: str,
    arguments: dict[str, Any],
    approved: frozenset[str],
    now: int,
) -> None:
    """Answering each question leads to a permit: nobody is asked about a doomed call."""
    bundle, asked = compiled(texts), call(tool, as_(who), **arguments)
    verdict = judged(bundle, asked, approved, now)
    while verdict.effect is Effect.HOLD:
        assert not approved & set(verdict.factors)
        approved |= set(verdict.factors)
        verdict = judged(bundle, asked, approved, now)
        assert verdict.effect is not Effect.DENY
