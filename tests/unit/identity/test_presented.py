from lockgate.identity.presented import MOST, Presented, PresentedTokens

TOKEN = Presented("secret-text", "https://issuer.example", 100)


def test_the_newest_is_held_while_it_is_valid_and_wanted() -> None:
    held = PresentedTokens()
    held.note("person:alice", TOKEN)
    assert held.of("person:alice", 1) is None, "nobody wanted it"
    held.want(True)
    held.note("person:alice", TOKEN)
    newer = Presented("newer", TOKEN.issuer, 200)
    held.note("person:alice", newer)
    assert held.of("person:alice", 150) is newer
    assert held.of("person:alice", 200) is None
    assert held.of("person:bob", 1) is None
    held.want(False)
    assert held.of("person:alice", 1) is None


def test_there_is_room_for_so_many_and_nothing_is_shown() -> None:
    held = PresentedTokens()
    held.want(True)
    for number in range(MOST + 1):
        held.note(str(number), TOKEN)
    assert held.of("0", 1) is None
    assert held.of("1", 1) is TOKEN
    assert "secret-text" not in repr(TOKEN)
