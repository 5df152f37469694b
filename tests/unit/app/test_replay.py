import pytest

from lockgate.app.replay import (
    LIFE_MS,
    MOST_BYTES,
    MOST_EVENTS,
    MOST_KEPT,
    MOST_OF_ONE,
    MOST_STREAMS,
    Replay,
    Track,
)
from lockgate.model import Session
from lockgate.store.sealing import AesGcmSealer
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import SseDecoder

SEALER = AesGcmSealer(b"s" * 32)


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def session(holder: str = "person:alice", id: str = "s-1", version: str = "2025-11-25") -> Session:
    return Session(id, holder, "/mcp", version, "t/1", b"{}", 0)


def replay(clock: Clock | None = None, node: str = "w1") -> Replay:
    return Replay(SEALER, node, clock or Clock())


def messages(raw: bytes) -> list[bytes]:
    return [event.data for event in SseDecoder(2**24).feed(raw) if event.data]


def last_id(raw: bytes) -> str:
    return [line[4:].decode() for line in raw.split(b"\n") if line.startswith(b"id: ")][-1]


def resumed(kept: Replay, event_id: str, who: Session) -> bytes:
    place, after = kept.read(event_id, who)
    return kept.find(place).follow(after).take()


def gone(kept: Replay, event_id: str, who: Session) -> bool:
    with pytest.raises(WireRefusal) as refused:
        resumed(kept, event_id, who)
    return refused.value.reason == "stream.gone"


def test_each_event_is_taken_once_under_an_id_of_its_own() -> None:
    track = replay().open(session())
    follower = track.follow()
    track.put(b"a")
    track.put(b"b")
    said = follower.take()
    assert messages(said) == [b"a", b"b"]
    assert follower.take() == b""
    track.put(b"c")
    assert messages(follower.take()) == [b"c"]
    assert not follower.over
    track.finish()
    assert follower.over


def test_whoever_comes_back_gets_exactly_what_followed() -> None:
    kept = replay()
    track = kept.open(session())
    first = track.follow()
    for message in (b"a", b"b"):
        track.put(message)
    seen = last_id(first.take())
    first.leave(0)
    track.put(b"c")
    track.finish()
    track.put(b"after the end")
    assert messages(resumed(kept, seen, session())) == [b"c"]
    assert messages(resumed(kept, seen.rpartition(".")[0] + ".0", session())) == [b"a", b"b", b"c"]


def test_a_later_follower_takes_the_stream_over() -> None:
    track = replay().open(session())
    first, second = track.follow(), track.follow()
    track.put(b"a")
    assert first.over
    assert first.take() == b""
    assert messages(second.take()) == [b"a"]
    first.leave(0)
    assert track.follower is second


def test_an_id_belongs_to_one_principal_and_one_session() -> None:
    kept = replay()
    place = last_id(kept.open(session()).follow().take())
    assert not gone_safely(kept, place, session())
    assert gone(kept, place, session(id="s-2"))
    assert gone(kept, place, session("person:bob"))
    for odd in ("", "x", ".1", place[1:], place.replace(".0", ".-1"), place.replace(".0", "."),
                place.replace(".0", ".1"), place.replace(".0", "." + "9" * 30)):  # fmt: skip
        assert gone(kept, odd, session()), odd


def gone_safely(kept: Replay, event_id: str, who: Session) -> bool:
    return bool(messages(resumed(kept, event_id, who)))


def test_ids_say_nothing_about_who_or_where() -> None:
    place = last_id(replay(node="worker-7").open(session()).follow().take())
    assert "alice" not in place
    assert "worker-7" not in place
    assert Replay(SEALER, "other", Clock()).place_of(place).node == "worker-7"


@pytest.mark.parametrize(
    ("message", "count"), [(b"x", MOST_EVENTS + 1), (b"y" * (MOST_BYTES // 2), 3)]
)
def test_what_is_too_old_is_refused_not_skipped(message: bytes, count: int) -> None:
    kept = replay()
    track = kept.open(session())
    start = last_id(track.follow().take())
    for _ in range(count):
        track.put(message)
    assert gone(kept, start, session())
    oldest = start.rpartition(".")[0] + f".{count - len(track.since(0))}"
    assert len(messages(resumed(kept, oldest, session()))) == len(track.since(0))


def test_one_event_of_any_size_is_kept() -> None:
    track = replay().open(session())
    track.put(b"z" * (MOST_BYTES + 1))
    assert len(messages(track.follow().take())) == 1


def test_nobody_is_waited_for_longer_than_its_life() -> None:
    clock = Clock()
    kept = replay(clock)
    told: list[str] = []
    waiting = kept.open(session(), lambda: told.append("waiting"))
    followed = kept.open(session(), lambda: told.append("followed"))
    place = last_id(waiting.follow().take())
    assert waiting.follower is not None
    waiting.follower.leave(0)
    followed.follow()
    clock.now = LIFE_MS
    kept.sweep()
    assert told == []
    clock.now = LIFE_MS + 1
    kept.sweep()
    assert told == ["waiting"]
    assert gone(kept, place, session())


def test_the_end_of_a_session_is_the_end_of_its_streams() -> None:
    kept = replay()
    mine, other = kept.open(session()), kept.open(session(id="s-2"))
    follower = mine.follow()
    kept.end("s-1")
    assert follower.over
    assert not other.over
    assert kept.kept == 1


def filled(kept: Replay, holder: str, size: int) -> Track:
    track = kept.open(session(holder))
    track.put(b"x" * size)
    return track


def test_what_one_principal_leaves_behind_is_bounded() -> None:
    kept = replay()
    others = kept.open(session("person:bob"))
    first = kept.open(session())
    for _ in range(2 * MOST_OF_ONE):
        kept.open(session())
    assert kept.kept == MOST_OF_ONE + 1
    assert first.over
    assert not others.over


def test_what_all_leave_behind_is_bounded() -> None:
    kept = replay()
    tracks = [filled(kept, f"person:{n}", MOST_BYTES) for n in range(MOST_KEPT // MOST_BYTES + 3)]
    followed = tracks[0]
    followed.follow()
    kept.trim()
    assert sum(t.bytes for t in tracks) <= MOST_KEPT
    assert not followed.over, "who is there loses nothing"
    assert tracks[1].over
    assert not tracks[-1].over


def test_there_are_so_many_streams_and_no_more() -> None:
    kept = replay()
    for number in range(MOST_STREAMS + 5):
        kept.open(session(f"person:{number}"))
    assert kept.kept == MOST_STREAMS


async def test_a_follower_is_woken() -> None:
    track = replay().open(session())
    follower = track.follow()
    assert not await follower.changed(0.001)
    track.put(b"a")
    assert await follower.changed(5)
    track.finish()
    assert await follower.changed(5)
