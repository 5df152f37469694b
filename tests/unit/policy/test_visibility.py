import sys

import msgspec
import orjson
import pytest

from lockgate.model import SYSTEM, Catalogue, Effect, Facts, Item, Obligation, Principal, Reply
from lockgate.pipeline.control import Control
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.entities import LONGEST
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.visibility import Visibility
from worlds import ALICE, BOB, list_call

MAPPING = ArgumentMapping({("clinic", "pay"): {"n": "long"}})
POLICY = """
permit(principal in Role::"doctor", action, resource in Upstream::"clinic")
when { resource.name == "read" };
permit(principal, action == Action::"tools/call", resource == Tool::"clinic/pay")
when { context.arguments has n && context.arguments.n < 5 };
@hold("owner") forbid(principal, action, resource == Tool::"clinic/delete")
unless { context.approvals.contains("owner") };
permit(principal in Role::"doctor", action, resource == Tool::"clinic/delete");
"""
NAMES = ("read", "pay", "delete", "secret", "")


def listed(method: str, who: Principal, *names: str) -> Catalogue:
    member = "/tools"
    entries = orjson.dumps({"tools": [{"name": n} for n in names]})
    items = tuple(Item(f"{member}/{at}", name) for at, name in enumerate(names))
    return Catalogue(Reply(list_call(method, who), entries), items)


def see(policy: str, method: str, who: Principal, *names: str) -> dict[str, str]:
    control: Control[Catalogue] = Visibility(PolicyBundle.compile({"a": policy}, MAPPING))
    verdict = control.check(listed(method, who, *names), Facts({}))
    assert (verdict.effect, verdict.reason) == (Effect.PERMIT, "policy.listed")
    assert verdict == control.check(listed(method, who, *names), Facts({}))
    owed = {names[int(o.pointer.rsplit("/", 1)[1])]: o.kind for o in verdict.obligations}
    return {name: owed.get(name, "shown") for name in names}


def test_tools_are_shown_as_their_calls_are_decided() -> None:
    assert see(POLICY, "tools/list", ALICE, *NAMES) == {
        "read": "shown",
        "pay": "conditional",
        "delete": "conditional",
        "secret": "hide",
        "": "hide",
    }
    assert see(POLICY, "tools/list", BOB, *NAMES) == {
        "read": "hide",
        "pay": "conditional",
        "delete": "hide",
        "secret": "hide",
        "": "hide",
    }


@pytest.mark.parametrize("method", ["prompts/list", "resources/list"])
def test_prompts_and_resources_too(method: str) -> None:
    assert see(POLICY, method, ALICE, "read", "pay") == {"read": "shown", "pay": "hide"}
    assert see(POLICY, method, BOB, "read") == {"read": "hide"}


def test_templates_are_at_best_conditional_and_judged_by_their_upstream() -> None:
    method, template = "resources/templates/list", "file:///{path}"
    by_upstream = 'permit(principal, action, resource in Upstream::"clinic");'
    by_uri = 'permit(principal, action, resource == Resource::"clinic/file:///a");'
    assert see(by_upstream, method, ALICE, template) == {template: "conditional"}
    assert see(by_uri, method, ALICE, template) == {template: "hide"}
    assert see("", method, ALICE, template) == {template: "hide"}


def test_lists_of_other_things_are_hidden_whole() -> None:
    everything = "permit(principal, action, resource);"
    assert see(everything, "roots/list", ALICE, "read") == {"read": "hide"}


def test_what_has_no_name_is_hidden() -> None:
    everything = "permit(principal, action, resource);"
    assert see(everything, "tools/list", ALICE, "read", "") == {"read": "shown", "": "hide"}


def test_the_gateway_learns_the_whole_catalogue() -> None:
    assert set(see("", "tools/list", SYSTEM, *NAMES).values()) == {"shown"}


def test_what_is_remembered_is_kept_apart() -> None:
    control = Visibility(PolicyBundle.compile({"a": POLICY}, MAPPING))
    nurse = msgspec.structs.replace(ALICE, roles=frozenset({"nurse"}))
    hidden = (Obligation("hide", "/tools/0"),)
    for who, owed in ((ALICE, ()), (nurse, hidden), (BOB, hidden), (ALICE, ())):
        assert control.check(listed("tools/list", who, "read"), Facts({})).obligations == owed
    for method, kind in (("tools/list", "conditional"), ("prompts/list", "hide")):
        verdict = control.check(listed(method, ALICE, "delete"), Facts({}))
        assert [o.kind for o in verdict.obligations] == [kind]


def test_nothing_is_remembered_under_a_long_uri() -> None:
    control = Visibility(PolicyBundle.compile({"a": POLICY}, MAPPING))
    uri = "x" * (LONGEST + 1)
    before = sys.getrefcount(uri)
    verdict = control.check(listed("resources/list", ALICE, uri), Facts({}))
    assert [o.kind for o in verdict.obligations] == ["hide"]
    assert sys.getrefcount(uri) == before
