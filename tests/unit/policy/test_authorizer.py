import sys

import msgspec
import pytest

from lockgate.model import SYSTEM, Call, Principal
from lockgate.policy.authorizer import Answer, Authorizer
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.entities import LISTS, LONGEST, Uid
from lockgate.policy.mapping import ArgumentMapping, Request, request_of
from worlds import ALICE, CLINIC, call, list_call

MAPPING = ArgumentMapping({("clinic", "pay"): {"n": "long"}})
ALL = '@id("all") permit(principal, action, resource);'
MAX = 2**63 - 1


def authorizer(*policies: str) -> Authorizer:
    return Authorizer(PolicyBundle.compile({"a": "\n".join(policies)}, MAPPING))


def ask(engine: Authorizer, asked: Call) -> Answer:
    request = request_of(MAPPING, asked)
    assert isinstance(request, Request)
    return engine.is_authorized(asked.principal, asked.upstream, request, (), 1)


def foresee(engine: Authorizer, tool: str = "pay", who: Principal = ALICE) -> str:
    return engine.foresee(who, CLINIC, "tools/call", Uid("Tool", f"clinic/{tool}"))


def when(condition: str, effect: str = "permit", id: str = "p") -> str:
    return f'@id("{id}") {effect}(principal, action, resource) when {{ {condition} }};'


def test_answers_name_the_determining_policies() -> None:
    engine = authorizer(ALL, when("context.now > 0", "forbid", "f"), when("true", "forbid", "e"))
    assert ask(engine, call("pay")) == Answer("deny", ("e", "f"))
    assert ask(authorizer(ALL, when("true")), call("pay")) == Answer("allow", ("all", "p"))
    assert ask(authorizer(), call("pay")) == Answer("deny")


def test_a_forbid_that_fails_is_not_skipped() -> None:
    engine = authorizer(ALL, when(f"context.now + {MAX} > 3", "forbid", "f"))
    assert ask(engine, call("pay")) == Answer("error", ("f",))


def test_what_cannot_be_asked_is_an_error() -> None:
    engine = authorizer(ALL)
    surrogate = msgspec.structs.replace(ALICE, subject="\ud800")
    request = Request(Uid("Person", "\ud800"), Uid("Action", "tools/call"), Uid("Tool", "x"), {})
    assert engine.is_authorized(surrogate, CLINIC, request, (), 1) == Answer("error")
    assert foresee(engine, who=surrogate) == "denied"
    wrong = Request(Uid("Person", "alice"), Uid("Action", "nope"), Uid("Tool", "clinic/pay"), {})
    assert engine.is_authorized(ALICE, CLINIC, wrong, (), 1).outcome == "error"
    untyped = Request(wrong.principal, Uid("Action", "tools/call"), wrong.resource, {"n": "x"})
    assert engine.is_authorized(ALICE, CLINIC, untyped, (), 1).outcome == "error"


@pytest.mark.parametrize(
    ("policies", "outlook"),
    [
        ((), "denied"),
        ((ALL,), "permitted"),
        ((ALL, when("true", "forbid", "f")), "denied"),
        ((ALL, when("context.arguments has n", "forbid", "f")), "conditional"),
        ((when("context.arguments has n"),), "conditional"),
        ((when("context.arguments has n"), when("true", "forbid", "f")), "denied"),
        ((ALL, when("context.arguments has n")), "permitted"),
        ((ALL, when(f"context.now + {MAX} > 3")), "conditional"),
        ((ALL, when(f"{MAX} + 1 > 3", "forbid", "f")), "denied"),
        ((when('resource.name == "pay"'),), "permitted"),
        ((when('resource.name == "other"'),), "denied"),
        ((when('context.approvals.contains("a")'),), "conditional"),
    ],
)
def test_foresees_what_can_become_of_a_call(policies: tuple[str, ...], outlook: str) -> None:
    assert foresee(authorizer(*policies)) == outlook


def test_methods_that_are_no_actions_are_denied() -> None:
    assert authorizer(ALL).foresee(ALICE, CLINIC, "ping", Uid("Tool", "clinic/pay")) == "denied"


@pytest.mark.parametrize("name", ["'", '"', "\\", "a\nb", "\0", "ü", "\u202e", "\U000323b0", '"];'])
def test_odd_names_are_matched_exactly(name: str) -> None:
    engine = authorizer(
        f"permit(principal, action, resource == {Uid('Tool', 'clinic/' + name).text()});"
    )
    assert foresee(engine, name) == "permitted"
    assert ask(engine, call(name)).outcome == "allow"
    assert foresee(engine, name + "x") == "denied"
    assert ask(engine, call(name + "x")).outcome == "deny"
    odd = msgspec.structs.replace(ALICE, subject=name)
    assert foresee(engine, name, odd) == "permitted"


@pytest.mark.parametrize("method", LISTS)
def test_the_gateway_itself_may_list_and_nothing_else(method: str) -> None:
    engine = authorizer()
    assert ask(engine, list_call(method, SYSTEM)) == Answer("allow", ("lockgate.system-lists",))
    assert ask(engine, call("pay", SYSTEM)) == Answer("deny")
    assert ask(engine, list_call(method, ALICE)) == Answer("deny")


def test_the_same_question_is_answered_from_memory_only_where_all_that_counts_is_the_same() -> None:
    late = when("context.now > 5", "forbid", "late")
    engine = authorizer(ALL, late, when('context.approvals.contains("a")', "forbid", "given"))
    pay = call("pay")
    request = request_of(MAPPING, pay)
    assert isinstance(request, Request)

    def outcome(approvals: tuple[str, ...] = (), now: int = 1, who: Principal = ALICE) -> str:
        return engine.is_authorized(who, pay.upstream, request, approvals, now).outcome

    assert [outcome(), outcome(now=9), outcome(("a",)), outcome()] == [
        "allow",
        "deny",
        "deny",
        "allow",
    ]
    small = authorizer(
        ALL, when("context.arguments has n && context.arguments.n > 3", "forbid", "f")
    )
    assert [ask(small, call("pay", n=n)).outcome for n in (1, 5, 1)] == ["allow", "deny", "allow"]


def test_a_broken_question_is_an_error_also_after_a_sound_one() -> None:
    engine = authorizer(ALL)
    pay = call("pay", n=1)
    assert ask(engine, pay).outcome == "allow"
    sound = request_of(MAPPING, pay)
    assert isinstance(sound, Request)
    broken = msgspec.structs.replace(sound, arguments={"n": "x"})
    assert engine.is_authorized(pay.principal, pay.upstream, broken, (), 1).outcome == "error"


def test_nothing_is_remembered_under_a_long_uri() -> None:
    """Clients choose URIs of megabytes as they please."""
    engine, resource = authorizer(ALL), Uid("Resource", "clinic/" + "x" * LONGEST)
    asked = Request(Uid("Person", "alice"), Uid("Action", "resources/read"), resource, {})
    before = sys.getrefcount(resource)
    assert engine.is_authorized(ALICE, CLINIC, asked, (), 1) == Answer("allow", ("all",))
    assert sys.getrefcount(resource) == before


def test_what_is_foreseen_is_not_kept_twice() -> None:
    """Whoever asks keeps the answer; the entities of one tool and one person are 11 KB."""
    engine = authorizer(ALL)
    resource = Uid("Tool", "clinic/pay")
    before = sys.getrefcount(resource)
    assert engine.foresee(ALICE, CLINIC, "tools/call", resource) == "permitted"
    assert sys.getrefcount(resource) == before
