from lockgate.model import APPROVALS, NOW, Approval, Effect, Facts, Known, binding_of
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.explain import explain
from lockgate.policy.mapping import ArgumentMapping, Mistyped, Request
from worlds import call

TEXT = """
@id("all") permit(principal, action, resource);
@id("ask") @hold("owner")
forbid(principal, action, resource) unless { context.approvals.contains("owner") };
"""
BUNDLE = PolicyBundle.compile(
    {"a.cedar": TEXT}, ArgumentMapping({("clinic", "pay"): {"n": "long"}})
)


def facts(*approvals: Approval) -> Facts:
    return Facts({APPROVALS: Known(approvals), NOW: Known(5)})


def test_spells_out_the_policies_behind_a_verdict() -> None:
    found = explain(BUNDLE, call("pay", n=3), facts())
    assert (found.effect, found.reason, found.missing) == (
        Effect.HOLD, "approval.needed", ("owner",)
    )  # fmt: skip
    (rule,) = found.rules
    assert (rule.id, rule.effect, rule.file, rule.line) == ("ask", "forbid", "a.cedar", 3)
    assert rule.text.startswith("@id")
    assert rule.text.endswith("};")
    assert isinstance(found.request, Request)
    assert found.request.arguments == {"n": 3}


def test_says_which_approval_made_the_difference() -> None:
    asked = call("pay")
    held = CedarPolicy(BUNDLE).check(asked, facts())
    question = binding_of(asked, {"policy.cedar": held.grounds})
    given = Approval("1", question, "owner", ("os:carol",), 9)
    found = explain(BUNDLE, asked, facts(given))
    assert (found.effect, found.approved, found.missing) == (Effect.PERMIT, ("owner",), ())
    assert [rule.id for rule in found.rules] == ["all"]


def test_says_which_argument_could_not_be_read() -> None:
    found = explain(BUNDLE, call("pay", n="3"), facts())
    assert (found.reason, found.rules) == ("policy.argument-type", ())
    assert found.request == Mistyped("n", "long")
