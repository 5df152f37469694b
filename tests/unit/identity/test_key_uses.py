from lockgate.identity.key_uses import KeyUses


def test_each_key_has_its_last_time_until_it_is_drained() -> None:
    uses = KeyUses()
    uses.note("a", 1)
    uses.note("b", 2)
    uses.note("a", 3)
    assert uses.drain() == {"a": 3, "b": 2}
    assert uses.drain() == {}


def test_what_could_not_be_written_comes_again_unless_something_newer_did() -> None:
    uses = KeyUses()
    uses.note("a", 1)
    uses.note("b", 2)
    drained = uses.drain()
    uses.note("a", 9)
    uses.restore(drained)
    assert uses.drain() == {"a": 9, "b": 2}
