import orjson

from lockgate.app.listener import Listener, of_session
from lockgate.app.telling import MESSAGE, MOST_EVENTS, Telling
from lockgate.model import Session, Terms
from lockgate.upstream.link import Event
from support.staged import Speaker, stage_of


def told_by(level: str = "debug") -> tuple[Telling, list[int]]:
    stage = stage_of()
    caller = Speaker(stage).caller()
    session = Session("s", caller.principal.holder, "/mcp/clinic", "2025-11-25", "", b"{}", 0)
    heard: list[int] = []
    listener: Listener = of_session(
        session, caller, lambda raw: heard.append(orjson.loads(raw)["params"]["data"])
    )
    return Telling(lambda: stage.gateway.state, lambda: [listener], lambda _: level), heard


def message(number: int, level: str = "info", holder: str = "person:alice") -> Event:
    raw = orjson.dumps({"level": level, "data": number})
    return Event("clinic", Terms(holder), MESSAGE, raw)


async def test_events_are_told_in_their_order_and_once() -> None:
    telling, heard = told_by()
    for number in range(3):
        telling.take(message(number))
    await telling.tell_all()
    await telling.tell_all()
    assert heard == [0, 1, 2]


async def test_of_too_many_the_oldest_are_forgotten() -> None:
    telling, heard = told_by()
    for number in range(MOST_EVENTS + 2):
        telling.take(message(number))
    await telling.tell_all()
    assert heard == list(range(2, MOST_EVENTS + 2))


async def test_levels_below_the_session_s_and_unknown_ones_are_not_told() -> None:
    telling, heard = told_by(level="error")
    for number, level in enumerate(("warning", "error", "emergency", "loud")):
        telling.take(message(number, level))
    telling.take(Event("clinic", Terms("person:alice"), MESSAGE, b"[]"))
    await telling.tell_all()
    assert heard == [1, 2]


async def test_where_the_level_is_unknown_nothing_is_told() -> None:
    telling, heard = told_by(level="")
    telling.take(message(1, "emergency"))
    await telling.tell_all()
    assert heard == []
