import asyncio
from typing import Any

import pytest

from lockgate.app.asking import COMPLETE
from lockgate.app.hub import MOST_STREAMS
from lockgate.app.wishes import DEFAULT_LEVEL, MOST_URIS
from lockgate.model import Call, Permit, Reply, Session, SessionState, Terms
from lockgate.pipeline.subscriptions import SUBSCRIBE, UNSUBSCRIBE, UPDATED
from lockgate.upstream.link import Event, Hears
from support.attending import ALICE, LISTEN, Client, DownStates, heard, listening, settled
from support.scenario import Stage
from support.staged import BOB, regate, rows, stage_of

MESSAGE = "notifications/message"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
ID = "io.modelcontextprotocol/subscriptionId"
ONLY_A = ('permit(principal, action == Action::"resources/subscribe", '
          'resource == Resource::"clinic/file:///a");')  # fmt: skip
Json = dict[str, Any]
TASKS: Json = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


class Subscribing:
    """An upstream that takes every subscription, and tells what it was asked."""

    def __init__(self, stage: Stage) -> None:
        self.asked: list[tuple[str, str]] = []
        self.calls: list[Call] = []
        regate(stage, sender=self)

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        self.calls.append(call)
        self.asked.append((call.method.split("/")[1], call.target))
        if call.target.endswith("missing"):
            return Reply(call, b'{"code":-32602,"message":"no such resource"}', is_error=True)
        return Reply(call, b"{}")


def stage(policy: str = "permit(principal, action, resource);") -> tuple[Stage, Subscribing]:
    made = stage_of(policy=policy)
    return made, Subscribing(made)


async def subscribed(stage: Stage, session: Session, *uris: str) -> None:
    """Another worker wrote that it is."""
    state = SessionState(subscribed=frozenset(uris))
    await stage.states.change(session.id, lambda _: state, 2**50)


# What a session sets.


@pytest.mark.parametrize("level", ["debug", "emergency"])
async def test_a_level_is_kept_and_asked_of_the_upstream_with_each_call(level: str) -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.open()
    assert (await alice.legacy("logging/setLevel", {"level": level})).result == {}
    await alice.legacy("resources/read", {"uri": "file:///a"}, 2)
    assert upstream.calls[-1].envelope.log_level == level


@pytest.mark.parametrize("level", ["loud", "INFO", 3, None, ["info"]])
async def test_other_levels_are_none(level: object) -> None:
    made, _ = stage()
    alice = Client(made)
    await alice.open()
    params = {} if level is None else {"level": level}
    assert (await alice.legacy("logging/setLevel", params)).error["code"] == -32602


async def test_a_level_is_one_session_s_and_legacy() -> None:
    made, upstream = stage()
    alice, other = Client(made), Client(made)
    await alice.open()
    await other.open()
    await alice.legacy("logging/setLevel", {"level": "error"})
    await other.legacy("resources/read", {"uri": "file:///a"}, 2)
    await other.modern("resources/read", {"uri": "file:///a"})
    meta = {"io.modelcontextprotocol/logLevel": "alert"}
    await other.modern("resources/read", {"uri": "file:///a", "_meta": meta})
    assert [c.envelope.log_level for c in upstream.calls] == [DEFAULT_LEVEL, "", "alert"]
    assert (await alice.modern("logging/setLevel", {"level": "info"})).status == 404


# Subscriptions of a session.


async def test_updates_reach_who_subscribed_under_the_uri_they_know() -> None:
    made, upstream = stage()
    alice = Client(made, "/mcp")
    await alice.attend()
    uri = "lockgate+clinic:file:///a"
    assert (await alice.legacy(SUBSCRIBE, {"uri": uri})).result == {}
    assert upstream.asked == [("subscribe", "file:///a")]
    await heard(made, UPDATED, {"uri": "file:///a", "_meta": {ID: 4, "mine": 1}})
    await heard(made, UPDATED, {"uri": "file:///other"})
    assert alice.told() == [{"jsonrpc": "2.0", "method": UPDATED,
                             "params": {"uri": uri, "_meta": {"mine": 1}}}]  # fmt: skip


async def test_nobody_else_is_told() -> None:
    made, _ = stage()
    alice, bob, idle = Client(made), Client(made, who=BOB), Client(made)
    for one in (alice, bob, idle):
        await one.attend()
    await alice.legacy(SUBSCRIBE, {"uri": "file:///a"})
    await bob.legacy(SUBSCRIBE, {"uri": "file:///b"})
    await heard(made, UPDATED, {"uri": "file:///a"}, Terms(bob.principal.holder))
    await heard(made, UPDATED, {"uri": "file:///a"}, Terms(ALICE, session="another"))
    assert [one.told() for one in (alice, bob, idle)] == [[], [], []]
    await heard(made, UPDATED, {"uri": "file:///a"}, Terms(""))
    await heard(made, UPDATED, {"uri": "file:///b"}, Terms(""))
    assert [len(one.told()) for one in (alice, bob, idle)] == [1, 1, 0]


async def test_what_is_not_permitted_is_refused_and_not_remembered() -> None:
    made, upstream = stage(ONLY_A)
    alice = Client(made)
    session = await alice.attend()
    assert (await alice.legacy(SUBSCRIBE, {"uri": "file:///b"})).reason == "policy.no-rule"
    assert (await alice.legacy(SUBSCRIBE, {"uri": "file:///a"}, 2)).result == {}
    assert upstream.asked == [("subscribe", "file:///a")]
    assert made.states.load(session.id).subscribed == {"file:///a"}


async def test_an_upstream_that_refuses_says_so_itself() -> None:
    made, _ = stage()
    alice = Client(made)
    session = await alice.attend()
    said = await alice.legacy(SUBSCRIBE, {"uri": "file:///missing"})
    assert said.error["message"] == "no such resource"
    assert made.states.load(session.id) == SessionState()


async def test_unsubscribing_ends_it_at_the_upstream_when_nobody_else_listens() -> None:
    made, upstream = stage()
    one, two = Client(made), Client(made)
    for client in (one, two):
        await client.attend()
        await client.legacy(SUBSCRIBE, {"uri": "file:///a"})
    assert (await one.legacy(UNSUBSCRIBE, {"uri": "file:///a"}, 2)).result == {}
    assert ("unsubscribe", "file:///a") not in upstream.asked
    await heard(made, UPDATED, {"uri": "file:///a"})
    assert (one.told(), len(two.told())) == ([], 1)
    await two.legacy(UNSUBSCRIBE, {"uri": "file:///a"}, 2)
    assert upstream.asked[-1] == ("unsubscribe", "file:///a")
    assert (await two.legacy(UNSUBSCRIBE, {"uri": "file:///never"}, 3)).result == {}


async def test_a_stream_that_ends_lets_go_of_what_it_held() -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.attend()
    await alice.legacy(SUBSCRIBE, {"uri": "file:///a"})
    await alice.end()
    await settled(made.gateway.hub)
    assert upstream.asked == [("subscribe", "file:///a"), ("unsubscribe", "file:///a")]
    assert made.gateway.hub.open == 0


async def test_a_stream_opened_later_takes_up_what_the_session_subscribed_to() -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.open()
    await alice.legacy(SUBSCRIBE, {"uri": "file:///a"})
    await alice.attend()
    assert upstream.asked == [("subscribe", "file:///a")] * 2
    await heard(made, UPDATED, {"uri": "file:///a"})
    assert len(alice.told()) == 1


async def test_what_another_worker_took_is_taken_up_here() -> None:
    made, upstream = stage()
    alice = Client(made)
    session = await alice.attend()
    hub = made.gateway.hub
    for uris, last in (({"file:///a", "file:///b"}, None), ({"file:///b"}, "file:///a")):
        await subscribed(made, session, *uris)
        await hub.tick()
        await settled(hub)
        if last:
            assert upstream.asked[-1] == ("unsubscribe", last)
    for uri in ("file:///a", "file:///b"):
        await heard(made, UPDATED, {"uri": uri})
    assert [m["params"]["uri"] for m in alice.told()] == ["file:///b"]
    before = len(upstream.asked)
    await hub.tick()
    await settled(hub)
    assert len(upstream.asked) == before, "what stands is not asked for again"


async def test_what_another_worker_says_was_set_is_taken_up_at_once() -> None:
    made, upstream = stage()
    alice = Client(made)
    session = await alice.attend()
    await subscribed(made, session, "file:///a")
    await made.gateway.hub.look("somebody else's")
    assert not upstream.asked
    await made.gateway.hub.look(session.id)
    assert upstream.asked == [("subscribe", "file:///a")]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (SUBSCRIBE, {"uri": "file:///a"}),
        (UNSUBSCRIBE, {"uri": "file:///a"}),
        ("logging/setLevel", {"level": "error"}),
    ],
)
async def test_who_sets_something_is_answered_when_all_workers_know(
    method: str, params: Json
) -> None:
    made, _ = stage()
    alice = Client(made)
    session = await alice.attend()
    told, known = asyncio.Queue[str](), asyncio.Event()

    async def tell(session_id: str) -> None:
        told.put_nowait(session_id)
        await known.wait()

    made.gateway.hub.wishes.told = tell
    asking = asyncio.ensure_future(alice.legacy(method, params))
    async with asyncio.timeout(5):
        assert await told.get() == session.id
        assert not asking.done()
        known.set()
        assert (await asking).result == {}


async def test_a_session_has_so_many_subscriptions() -> None:
    made, _ = stage()
    alice = Client(made)
    session = await alice.attend()
    await subscribed(made, session, *(f"file:///{n}" for n in range(MOST_URIS)))
    assert (await alice.legacy(SUBSCRIBE, {"uri": "x:1"})).reason == "subscription.too-many"
    assert (await alice.legacy(SUBSCRIBE, {"uri": "file:///1"}, 2)).result == {}


async def test_two_changes_at_once_are_both_kept() -> None:
    made, _ = stage()
    alice = Client(made)
    session = await alice.attend()
    await asyncio.gather(
        alice.legacy(SUBSCRIBE, {"uri": "a:1"}, 1), alice.legacy(SUBSCRIBE, {"uri": "a:2"}, 2),
        alice.legacy("logging/setLevel", {"level": "alert"}, 3),
    )  # fmt: skip
    assert made.states.load(session.id) == SessionState("alert", frozenset({"a:1", "a:2"}))


async def test_a_reload_that_takes_a_permission_takes_the_subscription() -> None:
    made, _ = stage()
    alice = Client(made)
    await alice.attend()
    for number, uri in enumerate(("file:///a", "file:///b")):
        await alice.legacy(SUBSCRIBE, {"uri": uri}, number)
    regate(made, order=stage_of(policy=ONLY_A).gateway.state.gate.order)
    made.gateway.hub.reloaded()
    await settled(made.gateway.hub)
    for uri in ("file:///a", "file:///b"):
        await heard(made, UPDATED, {"uri": uri})
    assert [m["params"]["uri"] for m in alice.told()] == ["file:///a"]


# Log messages that belong to no call.


async def test_log_messages_reach_legacy_sessions_at_their_level() -> None:
    made, _ = stage()
    alice, strict = Client(made), Client(made)
    await alice.attend()
    await strict.attend()
    await strict.legacy("logging/setLevel", {"level": "error"})
    for level in ("debug", "info", "error"):
        await heard(made, MESSAGE, {"level": level, "data": {"any": [1]}})
    await heard(made, MESSAGE, {"level": "error", "data": 1, "logger": 7})
    await heard(made, MESSAGE, {"level": "error", "data": "x" * 20_000})
    assert [m["params"]["level"] for m in alice.told()] == ["info", "error"]
    assert [m["params"] for m in strict.told()] == [{"level": "error", "data": {"any": [1]}}]


async def test_what_is_no_such_thing_is_not_passed_on() -> None:
    made, _ = stage()
    alice = Client(made)
    await alice.attend()
    await heard(made, "notifications/odd", {})
    made.gateway.hub.hear(Event("unknown", Terms(ALICE), MESSAGE, b'{"level":"error","data":1}'))
    await settled(made.gateway.hub)
    assert alice.told() == []


# Listening.


async def test_a_listen_is_acknowledged_with_what_was_granted() -> None:
    made, upstream = stage(ONLY_A)
    alice = Client(made)
    alice.capabilities = TASKS
    wanted = {"toolsListChanged": True, "promptsListChanged": False, "taskIds": ["t-1"],
              "resourceSubscriptions": ["file:///b", "file:///a"]}  # fmt: skip
    task, said = await listening(alice, wanted, "L")
    granted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"]}
    assert said == {"jsonrpc": "2.0", "method": ACKNOWLEDGED,
                    "params": {"notifications": granted, "_meta": {ID: "L"}}}  # fmt: skip
    assert upstream.asked == [("subscribe", "file:///a")]
    made.gateway.hub.stop()
    answer = await task
    assert answer.result["resultType"] == "complete"
    assert answer.result["_meta"][ID] == "L"


async def test_only_who_declares_tasks_may_ask_to_be_told_of_them() -> None:
    made, _ = stage()
    async with asyncio.timeout(5):
        said = await Client(made).modern(LISTEN, {"notifications": {"taskIds": ["t-1"]}})
    assert (said.status, said.reason, said.error["code"]) == (400, "task.not-declared", -32021)
    assert said.error["data"]["requiredCapabilities"] == TASKS


async def test_events_carry_the_id_of_their_listen() -> None:
    made, _ = stage()
    alice = Client(made, "/mcp")
    uris = {"resourceSubscriptions": ["lockgate+clinic:file:///a"]}
    for id in (1, 2):
        await listening(alice, uris, id)
    await heard(made, UPDATED, {"uri": "file:///a"})
    told = [m["params"] for m in alice.heard if m["method"] == UPDATED]
    assert sorted(told, key=lambda p: p["_meta"][ID]) == [
        {"uri": "lockgate+clinic:file:///a", "_meta": {ID: id}} for id in (1, 2)
    ]
    made.gateway.hub.stop()


async def test_log_messages_without_a_call_reach_no_listen() -> None:
    made, _ = stage()
    alice = Client(made)
    await listening(alice, {"toolsListChanged": True})
    await heard(made, MESSAGE, {"level": "emergency", "data": 1})
    assert len(alice.heard) == 1
    made.gateway.hub.stop()


async def test_closing_a_listen_ends_it_at_the_upstream() -> None:
    made, upstream = stage()
    alice = Client(made)
    task, _ = await listening(alice, {"resourceSubscriptions": ["file:///a"]})
    task.cancel()
    await asyncio.wait({task})
    await settled(made.gateway.hub)
    assert upstream.asked[-1] == ("unsubscribe", "file:///a")
    assert made.gateway.hub.open == 0


async def test_thousands_come_and_go_without_a_trace() -> None:
    made, _ = stage()
    hub = made.gateway.hub
    alice = Client(made)
    caller = alice.caller()
    await alice.open()
    session = alice.session_itself()
    for number in range(2_000):
        opened = Session(f"s-{number}", *_rest(session))
        hub.attend(opened, caller)
        hub.end(opened.id)
    await settled(hub)
    assert (hub.open, hub.replay.kept, hub.busy) == (0, 0, set())
    for number in range(200):
        task, _ = await listening(alice, {}, number)
        task.cancel()
        await asyncio.wait({task})
    await settled(hub)
    assert (hub.open, hub.busy) == (0, set())


def _rest(session: Session) -> Any:
    fields = (session.principal, session.endpoint, session.version, session.client)
    return (*fields, session.capabilities, session.opened)


@pytest.mark.parametrize("filters", [None, {"toolsListChanged": "yes"}])
async def test_what_nobody_can_mean_is_refused(filters: object) -> None:
    made, _ = stage()
    said = await Client(made).modern(LISTEN, {"notifications": filters})
    assert said.error["code"] == -32602
    assert made.gateway.hub.open == 0


async def test_listens_are_bounded() -> None:
    made, _ = stage()
    alice = Client(made)
    for number in range(MOST_STREAMS):
        await listening(alice, {}, number)
    assert (await alice.modern(LISTEN, {"notifications": {}}, "x")).reason == "stream.too-many"
    bob = Client(made, who=BOB)
    await listening(bob, {})
    made.gateway.hub.stop()
    late = await alice.modern(LISTEN, {"notifications": {}}, "y")
    assert late.reason == "gateway.stopping"


async def test_every_subscription_of_a_listen_is_on_record() -> None:
    made, _ = stage(ONLY_A)
    alice = Client(made, "/mcp")
    uris = ["lockgate+clinic:file:///a", "lockgate+clinic:file:///b", "file:///nowhere"]
    await listening(alice, {"resourceSubscriptions": uris})
    found = [(r.kind, r.reason) for r in await rows(made) if "subscribe" in r.header["method"]]
    assert sorted(found) == [
        ("call.intent", "policy.no-rule"), ("call.intent", "policy.permitted"),
        ("call.outcome", "inspection.clean"), ("call.refused", "resolve.unknown-resource"),
    ]  # fmt: skip
    made.gateway.hub.stop()


async def test_where_nobody_can_say_nothing_is_told() -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.attend()
    made.gateway.hub.wishes._states = DownStates()
    await alice.legacy("resources/read", {"uri": "file:///a"}, 2)
    assert upstream.calls[-1].envelope.log_level == ""
    assert (
        await alice.legacy("logging/setLevel", {"level": "info"}, 3)
    ).reason == "pipeline.failed"
    await heard(made, MESSAGE, {"level": "emergency", "data": 1})
    assert alice.told() == []


@pytest.mark.parametrize("attending", [True, False])
async def test_the_end_of_an_elicitation_by_url_reaches_who_was_asked(attending: bool) -> None:
    url = {"mode": "url", "message": "m", "url": "https://x.example", "elicitationId": "theirs"}
    made = stage_of(asks=[{"method": "elicitation/create", "params": url}])
    alice = Client(made)
    alice.capabilities = {"elicitation": {"url": {}}}
    await alice.open()
    session = await alice.attend() if attending else alice.session_itself()
    call = asyncio.ensure_future(alice.legacy("tools/call", {"name": "get_patient"}, 7))
    question = await alice.question()
    ours = question["params"]["elicitationId"]
    await alice.answer(question["id"], {"action": "accept"})
    await call
    for their_session in ("another", session.id, session.id):
        terms = Terms(ALICE, "legacy", b"{}", their_session)
        await heard(made, COMPLETE, {"elicitationId": "theirs", "text": "ignore all"}, terms)
    told = alice.told() if attending else alice.heard[1:]
    assert told == [{"jsonrpc": "2.0", "method": COMPLETE, "params": {"elicitationId": ours}}]
    assert ours != "theirs"
