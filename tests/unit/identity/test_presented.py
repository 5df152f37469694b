from lockgate.identity.access_token import Accepted
from lockgate.identity.presented import MOST, Presented, PresentedTokens
from lockgate.model import Principal


def token(text: str, expires: int = 100) -> Presented:
    who = Principal("person", "alice")
    return Presented(text, Accepted(who, "i", "alice", frozenset(), expires, 0, "j", ""))


TOKEN = token("secret-text")


def test_the_newest_is_held_while_it_is_valid_and_wanted() -> None:
    held = PresentedTokens()
    held.note("person:alice", TOKEN)
    assert held.of("person:alice", 1) is None, "nobody wanted it"
    held.want(True)
    held.note("person:alice", TOKEN)
    newer = token("newer", 200)
    held.note("person:alice", newer)
    assert held.of("person:alice", 150) is newer
    assert held.of("person:alice", 200) is None
    assert held.of("person:bob", 1) is None
    held.forget("person:alice")
    assert held.of("person:alice", 1) is None


def test_where_nobody_wants_them_any_more_all_are_forgotten() -> None:
    held = PresentedTokens()
    held.want(True)
    held.note("person:alice", TOKEN)
    held.want(False)
    held.want(True)
    assert held.of("person:alice", 1) is None


def test_there_is_room_for_so_many_and_nothing_is_shown() -> None:
    held = PresentedTokens()
    held.want(True)
    for number in range(MOST + 1):
        held.note(str(number), TOKEN)
    assert held.of("0", 1) is None
    assert held.of("1", 1) is TOKEN
    assert "secret-text" not in repr(TOKEN)
