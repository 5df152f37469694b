from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.identity.access_token import Accepted
from lockgate.identity.api_key import KeyCheck
from lockgate.identity.certificate import Named
from lockgate.identity.issuer import Issuer
from lockgate.identity.later import Later
from lockgate.identity.profiles import PROFILES
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.workload import Workload, Workloads
from lockgate.model import KeyRecord, Principal
from support.key_book import Book

SINCE, NOW, PEER = 1_000_000, 2_000_000, "192.0.2.1"
RECORD = KeyRecord("k1", "personal", "alice", "alice", frozenset({"doctor"}), "desk", "h", 1,
                   3_000_000, scopes=frozenset({"read"}))  # fmt: skip
BY_KEY = Principal("person", "alice", frozenset({"nurse"}), "desk", "alice",
                   frozenset({"api_key"}), "k1")  # fmt: skip
BY_TOKEN = Principal("person", "corp/alice", frozenset({"doctor"}), "app", "corp/alice",
                     frozenset({"oauth"}), "corp:t1", login="s1")  # fmt: skip
ISSUER = Issuer("corp", "https://corp.example", PROFILES["generic"], namespace="corp/")


class Tokens:
    def __init__(self) -> None:
        self.good, self.known = True, True
        self.asked: list[Accepted] = []

    def fresh(self, now_ms: int) -> bool:
        return self.known

    def stands(self, accepted: Accepted, now_ms: int) -> bool:
        self.asked.append(accepted)
        return self.good


class Room:
    def __init__(self) -> None:
        self.book = Book(RECORD)
        self.tokens = Tokens()
        self.workloads = Workloads()
        self.issuers = {ISSUER.url: ISSUER}

    def look(self, known: Principal) -> Principal | AuthRefusal:
        later = Later(KeyCheck(self.book, b"p"), self.tokens, self.issuers, self.workloads)
        return later.look(known, SINCE, PEER, NOW)

    def reason(self, known: Principal) -> str:
        found = self.look(known)
        return found.reason if isinstance(found, AuthRefusal) else ""


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_key_gives_what_it_gives_now(room: Room) -> None:
    expected = replace(BY_KEY, roles=RECORD.roles, scopes=RECORD.scopes)
    assert room.look(BY_KEY) == expected


@pytest.mark.parametrize(
    "changes",
    [{"revoked": 1}, {"expires": NOW}, {"networks": ("198.51.100.0/24",)}, {"id": "k2"},
     {"subject": "bob"}, {"owner": "bob"}],
)  # fmt: skip
def test_a_key_that_would_not_be_accepted_now_counts_no_more(
    room: Room, changes: dict[str, Any]
) -> None:
    room.book = Book(replace(RECORD, **changes))
    assert room.reason(BY_KEY) == "auth.invalid"


def test_what_is_not_known_now_is_unknown(room: Room) -> None:
    room.tokens.known = False
    assert room.reason(BY_TOKEN) == "auth.unknown"
    room.book.is_fresh = False
    assert room.reason(BY_KEY) == "auth.unknown"


def test_a_token_counts_until_it_is_revoked_whenever_it_expires(room: Room) -> None:
    assert room.look(BY_TOKEN) == BY_TOKEN
    (shown,) = room.tokens.asked
    assert (shown.issuer, shown.token_id, shown.subject) == (ISSUER.url, "t1", "alice")
    assert shown.session == "s1"
    assert shown.issued * 1_000 < SINCE, "what was revoked from then on counts"
    room.tokens.good = False
    assert room.reason(BY_TOKEN) == "auth.invalid"


def test_an_issuer_that_is_ours_no_more(room: Room) -> None:
    room.issuers = {}
    assert room.reason(BY_TOKEN) == "auth.invalid"


def test_a_key_beside_a_token_narrows_and_either_ends_it(room: Room) -> None:
    room.book = Book(replace(RECORD, subject="corp/alice", owner="corp/alice"))
    both = replace(BY_TOKEN, credential="k1 corp:t1", authn=frozenset({"api_key", "oauth"}),
                   roles=frozenset({"doctor", "admin"}))  # fmt: skip
    found = room.look(both)
    assert isinstance(found, Principal)
    assert found.roles == {"doctor"}
    room.tokens.good = False
    assert room.reason(both) == "auth.invalid"
    room.tokens.good = True
    room.book = Book(replace(RECORD, revoked=1))
    assert room.reason(both) == "auth.invalid"


def test_a_workload_must_still_be_registered(room: Room) -> None:
    robot = Principal("service", "robot", frozenset(), "", "alice", frozenset({"mtls"}), "thumb",
                      workload="robot")  # fmt: skip
    assert room.reason(robot) == "auth.certificate"
    assert room.reason(replace(BY_TOKEN, workload="robot")) == "auth.certificate"
    known = Workload("robot", Named("dns", "robot.example"), "service", "bob", frozenset({"r"}))
    room.workloads.later = lambda id: known if id == "robot" else None  # type: ignore[method-assign]
    found = room.look(robot)
    assert isinstance(found, Principal)
    assert (found.owner, set(found.roles)) == ("bob", {"r"})
    assert room.reason(replace(robot, subject="another")) == "auth.certificate"
    assert room.look(replace(BY_TOKEN, workload="robot")) == replace(BY_TOKEN, workload="robot")


def test_the_gateways_own_traffic_is_nobody_who_was_let_in(room: Room) -> None:
    assert room.reason(replace(BY_KEY, authn=frozenset({"internal"}))) == "auth.invalid"
