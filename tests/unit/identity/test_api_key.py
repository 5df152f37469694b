import itertools
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity import wrong_keys
from lockgate.identity.api_key import KeyCheck, KeyText, hash_of, mint, parse
from lockgate.identity.key_uses import KeyUses
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import KeyRecord, Principal
from support.key_book import Book

PEPPER = b"p" * 32
PEER = "192.0.2.7"
NOW = 1_000_000


def record(key_id: str, stored: str) -> KeyRecord:
    return KeyRecord(
        id=key_id, kind="personal", owner="alice", subject="alice", roles=frozenset({"nurse"}),
        agent="desk", hash=stored, created=1, expires=NOW + 500,
    )  # fmt: skip


KEY_ID, TEXT, HASH = mint("personal", PEPPER, lambda n: bytes(range(n)))
RECORD = record(KEY_ID, HASH)


def ask(book: Book, text: str, now: int = NOW) -> Principal | AuthRefusal:
    return KeyCheck(book, PEPPER).check(text, PEER, now)


def reason(answer: Principal | AuthRefusal) -> str:
    assert isinstance(answer, AuthRefusal)
    assert TEXT[20:] not in answer.detail
    return answer.reason


@pytest.mark.parametrize(("kind", "prefix"), [("personal", "lgp_"), ("service", "lgs_")])
def test_a_minted_key_is_spelled_right(kind: "str", prefix: str) -> None:
    key_id, text, _ = mint(kind, PEPPER, os.urandom)  # type: ignore[arg-type]
    assert text.startswith(f"{prefix}{key_id}_")
    assert len(key_id) == 12
    assert parse(text) == KeyText(kind, key_id)  # type: ignore[arg-type]


def test_minted_keys_differ_also_where_the_id_would_not() -> None:
    parts = itertools.cycle([b"i" * 8, b"s" * 32, b"i" * 8, b"t" * 32])
    first, second = (mint("personal", PEPPER, lambda _: next(parts)) for _ in range(2))
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert first[2] != second[2]


def test_the_secret_has_256_bits() -> None:
    asked: list[int] = []

    def source(n: int) -> bytes:
        asked.append(n)
        return os.urandom(n)

    mint("personal", PEPPER, source)
    assert asked[-1] == 32


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("abzAZ09_-é \n"))
def test_a_typo_is_told_offline(place: int, char: str) -> None:
    typo = TEXT[:place] + char + TEXT[place + 1 :]
    assert typo == TEXT or parse(typo) is None


@given(st.text())
def test_other_text_is_no_key(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("spoil", [TEXT + "\n", " " + TEXT, TEXT + "A", TEXT[:-1], TEXT.upper()])
def test_the_format_is_exact(spoil: str) -> None:
    assert parse(spoil) is None


def test_the_hash_depends_on_the_pepper_and_every_part() -> None:
    other_kind = TEXT.replace("lgp_", "lgs_")
    found = {hash_of(TEXT, PEPPER), hash_of(TEXT, b"q" * 32), hash_of(other_kind, PEPPER)}
    assert len(found) == 3
    assert TEXT[17:60] not in HASH


def test_a_good_key_makes_its_principal() -> None:
    assert ask(Book(RECORD), TEXT) == Principal(
        kind="person", subject="alice", roles=frozenset({"nurse"}), agent="desk", owner="alice",
        authn=frozenset({"api_key"}), credential=KEY_ID,
    )  # fmt: skip


def test_a_service_key_makes_a_service() -> None:
    key_id, text, stored = mint("service", PEPPER, os.urandom)
    robot = msgspec.structs.replace(record(key_id, stored), kind="service", subject="robot")
    answer = ask(Book(robot), text)
    assert isinstance(answer, Principal)
    assert (answer.id, answer.owner) == ("service:robot", "alice")


BAD = {
    "unknown": Book(),
    "wrong secret": Book(record(KEY_ID, "0" * 64)),
    "revoked": Book(msgspec.structs.replace(RECORD, revoked=5)),
    "expired": Book(msgspec.structs.replace(RECORD, expires=NOW)),
    "wrong kind": Book(msgspec.structs.replace(RECORD, kind="service")),
}


@pytest.mark.parametrize("case", BAD)
def test_every_way_to_be_wrong_answers_the_same(case: str) -> None:
    assert reason(ask(BAD[case], TEXT)) == "auth.invalid"


@pytest.mark.parametrize("token", ["sk-1234", "A" * 66, TEXT[:-1]], ids=["other", "long", "cut"])
def test_a_token_that_is_no_key_is_invalid(token: str) -> None:
    assert reason(ask(Book(RECORD), token)) == "auth.invalid"


def test_another_pepper_voids_every_key() -> None:
    other = KeyCheck(Book(RECORD), b"q" * 32)
    assert reason(other.check(TEXT, PEER, NOW)) == "auth.invalid"


def test_a_stale_book_means_unknown_also_for_a_key_it_knew() -> None:
    book = Book(RECORD)
    asked = KeyCheck(book, PEPPER)
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
    book.is_fresh = False
    assert reason(asked.check(TEXT, PEER, NOW)) == "auth.unknown"


def test_a_known_key_is_not_looked_up_again_until_the_book_changes() -> None:
    book = Book(RECORD)
    asked = KeyCheck(book, PEPPER)
    for _ in range(3):
        asked.check(TEXT, PEER, NOW)
    assert book.looked_up == 1
    book.replace(msgspec.structs.replace(RECORD, roles=frozenset({"doctor"})))
    answer = asked.check(TEXT, PEER, NOW)
    assert isinstance(answer, Principal)
    assert answer.roles == {"doctor"}


def test_a_revoked_key_is_refused_at_once() -> None:
    book = Book(RECORD)
    asked = KeyCheck(book, PEPPER)
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
    book.replace(msgspec.structs.replace(RECORD, revoked=NOW))
    assert reason(asked.check(TEXT, PEER, NOW)) == "auth.invalid"


def test_a_known_key_still_expires() -> None:
    asked = KeyCheck(Book(RECORD), PEPPER)
    assert isinstance(asked.check(TEXT, PEER, NOW + 499), Principal)
    assert reason(asked.check(TEXT, PEER, NOW + 500)) == "auth.invalid"


def test_what_is_remembered_is_bounded_and_holds_no_key() -> None:
    minted = [mint("personal", PEPPER, os.urandom) for _ in range(5)]
    book = Book(*(record(key_id, stored) for key_id, _, stored in minted))
    asked = KeyCheck(book, PEPPER, remember=2)
    for _, text, _ in minted:
        assert isinstance(asked.check(text, PEER, NOW), Principal)
    asked.check(minted[-1][1], PEER, NOW)
    assert book.looked_up == 5
    asked.check(minted[0][1], PEER, NOW)
    assert book.looked_up == 6, "the oldest was forgotten"
    kept = repr(vars(asked))
    assert not any(text[17:60] in kept for _, text, _ in minted)


def test_a_refused_key_is_not_remembered() -> None:
    book = Book()
    asked = KeyCheck(book, PEPPER)
    for _ in range(2):
        asked.check(TEXT, PEER, NOW)
    assert book.looked_up == 2


def test_scopes_come_with_the_key() -> None:
    answer = ask(Book(msgspec.structs.replace(RECORD, scopes=frozenset({"read"}))), TEXT)
    assert isinstance(answer, Principal)
    assert answer.scopes == {"read"}


HOME = msgspec.structs.replace(RECORD, networks=("10.0.0.0/8", "2001:db8::/32"))


def test_a_key_is_refused_from_elsewhere_on_every_call(caplog: pytest.LogCaptureFixture) -> None:
    asked = KeyCheck(Book(HOME), PEPPER)
    for peer in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "10.1.2.3"):
        assert isinstance(asked.check(TEXT, peer, NOW), Principal)
        for other in ("192.0.2.7", "2001:db9::1", "", "10.1.2.3.4"):
            answer = asked.check(TEXT, other, NOW)
            assert reason(answer) == "auth.invalid"
            assert isinstance(answer, AuthRefusal)
            assert "may not be used from" in answer.detail
    assert f"key {KEY_ID} may not be used from 192.0.2.7" in caplog.text
    assert TEXT[17:] not in caplog.text


def test_who_is_wrong_from_elsewhere_learns_nothing_about_the_networks() -> None:
    stolen = KeyCheck(Book(HOME), PEPPER).check(TEXT, PEER, NOW)
    wrong = KeyCheck(Book(record(KEY_ID, "0" * 64)), PEPPER).check(TEXT, PEER, NOW)
    assert reason(stolen) == reason(wrong)


def test_each_accepted_call_is_noted_and_no_refused_one() -> None:
    uses, book = KeyUses(), Book(HOME)
    asked = KeyCheck(book, PEPPER, uses)
    asked.check(TEXT, PEER, NOW)
    assert uses.drain() == {}
    asked.check(TEXT, "10.0.0.1", NOW)
    asked.check(TEXT, "10.0.0.1", NOW + 5)
    asked.check(TEXT, PEER, NOW + 9)
    assert uses.drain() == {KEY_ID: NOW + 5}


def wrong_of(text: str) -> str:
    """Another key with the same id, spelled right."""
    _, other, _ = mint("personal", PEPPER, lambda n: bytes(n) if n == 32 else bytes(range(n)))
    assert other[:17] == text[:17]
    return other


def test_wrong_secrets_for_one_key_are_throttled_before_they_are_hashed() -> None:
    book = Book(RECORD)
    asked = KeyCheck(book, PEPPER)
    said = [reason(asked.check(wrong_of(TEXT), PEER, NOW)) for _ in range(30)]
    assert said == ["auth.invalid"] * wrong_keys.TRIES_KEY + ["auth.throttled"] * 20
    assert reason(asked.check(TEXT, PEER, NOW)) == "auth.throttled", "nor is the right one"
    later = NOW + wrong_keys.PAUSE_KEY_MS
    soon = KeyCheck(Book(msgspec.structs.replace(RECORD, expires=later + 9)), PEPPER)
    for _ in range(30):
        soon.check(wrong_of(TEXT), PEER, NOW)
    assert isinstance(soon.check(TEXT, PEER, later), Principal)


def test_a_key_that_was_accepted_here_is_not_throttled_also_when_the_book_changes() -> None:
    book = Book(RECORD)
    asked = KeyCheck(book, PEPPER)
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
    flood(asked, PEER)
    for _ in range(30):
        asked.check(wrong_of(TEXT), PEER, NOW)
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
    book.version += 1
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
    book.replace(msgspec.structs.replace(RECORD, revoked=NOW))
    assert reason(asked.check(TEXT, PEER, NOW)) == "auth.invalid"
    assert reason(asked.check(TEXT, PEER, NOW)) == "auth.throttled", "it is a wrong key now"


def flood(asked: KeyCheck, peer: str, count: int = 200) -> list[str]:
    texts = (mint("personal", PEPPER, os.urandom)[1] for _ in range(count))
    return [reason(asked.check(text, peer, NOW)) for text in texts]


def test_many_wrong_keys_from_one_address_are_throttled_and_no_other_address() -> None:
    asked = KeyCheck(Book(RECORD), PEPPER)
    bound = wrong_keys.TRIES_PEER
    assert flood(asked, PEER) == ["auth.invalid"] * bound + ["auth.throttled"] * (200 - bound)
    assert flood(asked, "192.0.2.8", 1) == ["auth.invalid"]


def test_a_right_key_still_gets_in_from_an_address_that_floods() -> None:
    asked = KeyCheck(Book(RECORD), PEPPER)
    flood(asked, PEER)
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)


def test_an_address_that_floods_cannot_tell_which_ids_exist() -> None:
    asked = KeyCheck(Book(RECORD), PEPPER)
    flood(asked, PEER)
    assert reason(asked.check(wrong_of(TEXT), PEER, NOW)) == "auth.throttled"
    assert flood(asked, PEER, 1) == ["auth.throttled"]


def test_what_is_not_spelled_like_a_key_is_throttled_too() -> None:
    asked = KeyCheck(Book(RECORD), PEPPER)
    said = [reason(asked.check(f"guess-{n}", PEER, NOW)) for n in range(12)]
    assert said[-1] == "auth.throttled"
    assert isinstance(asked.check(TEXT, PEER, NOW), Principal)
