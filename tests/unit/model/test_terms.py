import msgspec

from lockgate.model import Envelope, Terms

ASKS = b'{"elicitation":{"form":{}}}'


def test_who_may_be_asked_nothing_shares_with_every_client_of_the_same_person() -> None:
    legacy = Envelope(era="legacy", session="s-1", asks=b"{}")
    assert legacy.terms("person:alice") == Envelope().terms("person:alice") == Terms("person:alice")


def test_who_may_be_asked_shares_with_nobody_who_differs() -> None:
    said = Envelope(era="legacy", session="s-1", asks=ASKS)
    others = (
        said.terms("person:bob"),
        msgspec.structs.replace(said, session="s-2").terms("person:alice"),
        msgspec.structs.replace(said, era="modern").terms("person:alice"),
        msgspec.structs.replace(said, asks=b'{"roots":{}}').terms("person:alice"),
        msgspec.structs.replace(said, asks=b"{}").terms("person:alice"),
    )
    mine = said.terms("person:alice")
    assert len({mine, *others}) == 6


def test_what_the_gateway_does_not_carry_makes_no_difference() -> None:
    one = Envelope(asks=ASKS, capabilities=b'{"x":1}', client="ide/1", peer="192.0.2.1")
    assert one.terms("person:alice") == Envelope(asks=ASKS).terms("person:alice")
