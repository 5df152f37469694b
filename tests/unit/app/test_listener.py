import orjson
import pytest

from lockgate.app.listener import Listener, of_session
from lockgate.model import Session, Terms
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.upstream.link import Event
from lockgate.wire.request import Request
from worlds import ALICE

CALLER = Caller(ALICE, Endpoint("/mcp/clinic", ("clinic",), False), "192.0.2.1", "c-1")
SESSION = Session("s-1", ALICE.id, "/mcp/clinic", "2025-06-18", "t/1", b'{"roots":{}}', 0)


@pytest.mark.parametrize(
    ("upstream", "terms", "concerned"),
    [
        ("clinic", Terms(ALICE.id), True),
        ("clinic", Terms(ALICE.id, "legacy", b'{"roots":{}}', "s-1"), True),
        ("clinic", Terms(""), True),
        ("clinic", Terms(ALICE.id, session="s-2"), False),
        ("clinic", Terms("person:bob"), False),
        ("other", Terms(ALICE.id), False),
    ],
)
def test_an_event_concerns_whoever_uses_the_connection_it_came_over(
    upstream: str, terms: Terms, concerned: bool
) -> None:
    listener = of_session(SESSION, CALLER, lambda _: None)
    assert listener.concerned(Event(upstream, terms, "notifications/message")) is concerned


def test_a_session_s_listener_is_that_session_and_listens_at_once() -> None:
    listener = of_session(SESSION, CALLER, lambda _: None)
    assert listener.open
    assert (listener.caller.session, listener.holder) == ("s-1", ALICE.id)
    said = listener.request
    assert (said.era, said.version, said.client) == ("legacy", "2025-06-18", "t/1")
    assert said.capabilities == b'{"roots":{}}'


@pytest.mark.parametrize(
    ("id", "meta"), [(None, None), (7, {"io.modelcontextprotocol/subscriptionId": 7})]
)
def test_what_is_told_is_a_notification(id: int | None, meta: object) -> None:
    told: list[bytes] = []
    request = Request("modern", "2026-07-28", id, "subscriptions/listen")
    Listener(CALLER, request, told.append, id=id).tell("notifications/x", b'{"a":1}')
    params = {"a": 1, **({"_meta": meta} if meta else {})}
    assert [orjson.loads(m) for m in told] == [
        {"jsonrpc": "2.0", "method": "notifications/x", "params": params}
    ]
