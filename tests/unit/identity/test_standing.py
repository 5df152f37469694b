from typing import Any

import msgspec
import pytest

from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.standing import Rules, Standing
from lockgate.model import Group, Person, Principal
from lockgate.store.directory import Directory
from lockgate.store.memory_people import MemoryPeople

NOW = 1_000_000
EVIDENCE = Evidence(("Bearer x",))
ALICE = Principal("person", "alice", frozenset({"nurse"}), owner="alice")
ROBOT = Principal("service", "robot", owner="alice")
RULES = Rules(sources=frozenset({"scim", "operator", "ldap:a"}))


class Accepts:
    """Whatever is shown is this."""

    def __init__(self, found: Principal | AuthRefusal) -> None:
        self.found = found
        self.forgotten: list[str] = []

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        return self.found

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        return self.found

    def later(
        self, known: Principal, since_ms: int, peer: str, now_ms: int
    ) -> Principal | AuthRefusal:
        return known if isinstance(self.found, Principal) else self.found

    def forget(self, holder: str) -> None:
        self.forgotten.append(holder)


class World:
    def __init__(self, *rows: Person | Group, rules: Rules = RULES) -> None:
        self.people = MemoryPeople()
        self.directory = Directory(self.people)
        self.rules = rules
        self.put(*rows)

    def put(self, *rows: Person | Group) -> None:
        done = self.people.put(
            [r for r in rows if isinstance(r, Person)], [r for r in rows if isinstance(r, Group)]
        )
        assert done == "done"
        self.directory.refresh(NOW)

    async def ask(
        self, found: Principal | AuthRefusal = ALICE, now: int = NOW
    ) -> Principal | AuthRefusal:
        standing = Standing(Accepts(found), self.directory, self.rules)
        answer = await standing.authenticate(EVIDENCE, now)
        assert await standing.recheck(EVIDENCE, now) == answer
        return answer

    def knows(self, now: int) -> bool:
        return Standing(Accepts(ALICE), self.directory, self.rules).knows(now)

    async def reason(self, found: Principal = ALICE, now: int = NOW) -> str:
        answer = await self.ask(found, now)
        return answer.reason if isinstance(answer, AuthRefusal) else ""


def person(id: str = "1", name: str = "alice", **more: Any) -> Person:
    return Person(**{"id": id, "source": "scim", "user_name": name, **more})


def rules(**changes: Any) -> Rules:
    return msgspec.structs.replace(RULES, **changes)


async def test_nobody_is_known_and_nothing_changes() -> None:
    assert await World().ask() is ALICE


async def test_what_was_refused_before_stays_refused() -> None:
    refused = AuthRefusal("auth.invalid")
    assert await World(person()).ask(refused) is refused


async def test_an_active_person_is_let_in() -> None:
    assert await World(person()).ask() is ALICE


@pytest.mark.parametrize(
    "known",
    [
        person(active=False),
        person(active=False, deleted=5),
        person(name="ALICE", active=False),
        person(name="a.smith", external_id="alice", active=False),
        person(name="a.smith", external_id="Alice", active=False),
        person(source="ldap:removed-from-the-settings", active=False),
    ],
    ids=["inactive", "deleted", "case", "external id", "external id's case", "old source"],
)
@pytest.mark.parametrize(
    "found",
    [
        ALICE,
        ROBOT,
        Principal("person", "bob", actors=("desk-agent", "alice")),
        Principal("person", "alice", authn=frozenset({"oauth", "dpop", "mtls"})),
    ],
    ids=["person", "service's owner", "actor", "another kind of credential"],
)
async def test_a_leaver_is_refused_under_every_name_and_credential(
    known: Person, found: Principal
) -> None:
    assert await World(known).reason(found) == "auth.inactive"


async def test_a_service_is_no_person_of_the_same_name() -> None:
    leaver = person(name="robot", active=False)
    assert await World(leaver).ask(ROBOT) is ROBOT


async def test_one_no_outweighs_any_yes() -> None:
    world = World(person(), person("2", source="operator", active=False))
    assert await world.reason() == "auth.inactive"


async def test_someone_who_comes_back_is_let_in() -> None:
    world = World(person(active=False, deleted=5))
    world.put(person("2"))
    assert await world.ask() is ALICE
    world.put(person("3", source="ldap:a", active=False, deleted=7))
    assert await world.reason() == "auth.inactive", "the other source has nobody of that name"


async def test_where_it_is_required_only_who_is_known_is_let_in() -> None:
    world = World(person(), person("2", "carol", external_id="00uC"), rules=rules(required=True))
    assert await world.ask() is ALICE
    assert await world.ask(ROBOT) is ROBOT
    assert await world.reason(Principal("person", "00uC")) == ""
    for stranger in ("bob", "Alice", "00uc"):
        assert await world.reason(Principal("person", stranger)) == "auth.inactive"
    assert await world.reason(Principal("service", "robot", owner="bob")) == "auth.inactive"
    assert await world.reason(Principal("service", "robot")) == "", "nobody answers for it"


async def test_a_source_that_is_not_configured_any_more_vouches_for_nobody() -> None:
    known = person(source="ldap:old", groups=frozenset({"staff"}))
    giving = {"staff": frozenset({"employee"})}
    world = World(known, rules=rules(required=True, roles=giving))
    assert await world.reason() == "auth.inactive"
    world.rules = rules(roles=giving)
    assert await world.ask() is ALICE


async def test_groups_become_the_roles_that_the_mapping_says() -> None:
    giving = {"staff": frozenset({"employee"}), "ward 3": frozenset({"nurse", "ward-3"})}
    world = World(
        person(groups=frozenset({"staff", "unmapped"})),
        Group("g", "scim", "Ward 3", members=frozenset({"1"})),
        Group("h", "scim", "staff", members=frozenset({"1"}), deleted=5),
        rules=rules(roles=giving),
    )
    answer = await world.ask()
    assert answer == msgspec.structs.replace(
        ALICE, roles=frozenset({"nurse", "employee", "ward-3"})
    )
    assert await world.ask(ROBOT) is ROBOT, "an owner's groups are not the service's"
    like = Principal("person", "Alice")
    assert await world.ask(like) is like, "roles want the exact name"


async def test_a_name_that_means_two_people_gives_no_roles() -> None:
    staff = frozenset({"staff"})
    world = World(
        person(groups=staff),
        person("2", "bob", external_id="alice", groups=staff),
        rules=rules(roles={"staff": frozenset({"employee"})}),
    )
    assert await world.ask() is ALICE


async def test_a_directory_that_was_not_read_lately_lets_nobody_in() -> None:
    world = World(person())
    assert await world.reason(now=NOW + 2_000) == ""
    assert await world.reason(now=NOW + 2_001) == "auth.unknown"
    assert world.knows(NOW)
    assert not world.knows(NOW + 2_001)


async def test_a_source_that_did_not_answer_for_too_long_lets_nobody_in() -> None:
    world = World(person(), rules=rules(oldest_ms={"ldap:a": 500}))
    assert await world.reason() == "auth.unknown", "it never answered"
    world.people.hear("ldap:a", NOW - 500)
    world.directory.refresh(NOW)
    assert await world.reason() == ""
    assert await world.reason(now=NOW + 1) == "auth.unknown"


async def test_nothing_is_held_of_somebody_who_has_left() -> None:
    world = World(Person("p", "scim", "alice", active=False))
    checks = Accepts(ALICE)
    await Standing(checks, world.directory, RULES).authenticate(EVIDENCE, NOW)
    assert checks.forgotten == [ALICE.holder]


def test_whoever_was_let_in_before_is_looked_at_as_now() -> None:
    by_token = msgspec.structs.replace(
        ALICE, authn=frozenset({"oauth"}), roles=frozenset({"nurse", "boss"})
    )
    given = rules(roles={"bosses": frozenset({"boss"}), "all": frozenset({"staff"})})

    def later(world: World) -> Principal | AuthRefusal:
        standing = Standing(Accepts(ALICE), world.directory, given)
        return standing.later(by_token, 1, "", NOW)

    group = Group("g", "scim", "all", members=frozenset({"1"}))
    found = later(World(person(), group))
    assert isinstance(found, Principal)
    assert found.roles == {"nurse", "staff"}, "what a directory gives is its to take"
    gone = later(World(person(active=False)))
    assert isinstance(gone, AuthRefusal)
    assert gone.reason == "auth.inactive"
    refused = Standing(Accepts(AuthRefusal("auth.invalid")), World().directory, given)
    assert isinstance(refused.later(by_token, 1, "", NOW), AuthRefusal)
