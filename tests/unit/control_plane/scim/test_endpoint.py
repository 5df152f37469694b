"""What identity providers send. That it is SCIM, says ``tests/e2e/test_scim.py``."""

from typing import Any

import msgspec
import pytest

from lockgate.model import KeyRecord, Person, StoreDown
from support.scim import PATCH, SEARCH, USER, Provider


@pytest.fixture
def idp() -> Provider:
    return Provider()


async def test_a_user_is_made_and_read_back(idp: Provider) -> None:
    made = await idp.user("alice", externalId="00uA")
    assert made["active"] is True
    assert made["meta"]["location"] == f"http://gate.example/scim/v2/Users/{made['id']}"
    read = await idp.send("GET", f"/Users/{made['id']}")
    assert (read.status, read.json) == (200, made)
    assert read.headers["content-type"] == "application/scim+json"
    assert idp.written == 1
    (kept,) = idp.store.people()
    assert kept.source == "scim"
    assert kept.names == {"alice", "00uA"}


async def test_what_decides_nothing_is_not_kept(idp: Provider) -> None:
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    said = {
        "schemas": [USER, enterprise], "userName": "alice", "password": "hunter2",
        "name": {"givenName": "Alice", "familyName": "Smith"},
        "emails": [{"value": "alice@corp.example", "primary": True}],
        enterprise: {"department": "Ward 3", "costCenter": "9"},
    }  # fmt: skip
    answer = await idp.send("POST", "/Users", said)
    made = answer.json
    assert answer.status == 201
    rows = idp.store.people(), [r.event for r in idp.events.tail(9)]
    assert not any(w in f"{made}{rows}" for w in ("Smith", "corp.example", "hunter2", "Ward 3"))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "active", "value": False},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "value": {"active": False}},
        {"op": "replace", "value": {"active": False, "title": "unknown here"}},
    ],
    ids=["as the RFC", "as Entra", "as Okta", "with more"],
)
async def test_a_leaver_is_deactivated(idp: Provider, operation: dict[str, Any]) -> None:
    id = (await idp.user("alice"))["id"]
    answer = await idp.patch(f"/Users/{id}", operation)
    assert (answer.status, answer.json["active"]) == (200, False)
    (kept,) = idp.store.people()
    assert not kept.active
    assert [r.event.header["action"] for r in idp.events.tail(9)] == ["person.add", "person.change"]
    assert idp.written == 2


async def test_what_changes_nothing_is_not_on_record(idp: Provider) -> None:
    id = (await idp.user("alice"))["id"]
    answer = await idp.patch(f"/Users/{id}", {"op": "replace", "path": "active", "value": True})
    assert answer.status == 200
    assert idp.events.count() == 1


async def test_a_replacement_that_leaves_active_out_leaves_it_as_it_is(idp: Provider) -> None:
    id = (await idp.user("alice", active=False))["id"]
    said = {"schemas": [USER], "userName": "alice", "externalId": "x"}
    answer = await idp.send("PUT", f"/Users/{id}", said)
    assert (answer.json["active"], answer.json["externalId"]) == (False, "x")
    answer = await idp.send("PUT", f"/Users/{id}", {**said, "Active": True})
    assert answer.json["active"] is True


async def test_active_cannot_be_unassigned(idp: Provider) -> None:
    id = (await idp.user("alice", active=False))["id"]
    answer = await idp.patch(f"/Users/{id}", {"op": "remove", "path": "active"})
    assert answer.status == 400
    assert not idp.store.people()[0].active


async def test_a_deleted_user_is_gone_for_scim_and_a_leaver_for_the_gate(idp: Provider) -> None:
    id = (await idp.user("alice"))["id"]
    idp.keys.add(KeyRecord("k", "personal", "alice", "alice", frozenset(), "", "h", 1, 9))
    assert (await idp.send("DELETE", f"/Users/{id}")).status == 204
    for method in ("GET", "DELETE", "PUT", "PATCH"):
        assert (await idp.send(method, f"/Users/{id}", {})).status == 404
    (kept,) = idp.store.people()
    assert (kept.active, kept.deleted > 0) == (False, True)
    assert idp.keys.list()[0].revoked
    again = await idp.user("alice")
    assert again["id"] != id, "an id is never given again"


async def test_a_name_is_one_user_s(idp: Provider) -> None:
    await idp.user("alice")
    answer = await idp.send("POST", "/Users", {"schemas": [USER], "userName": "ALICE"})
    assert (answer.status, answer.json["scimType"]) == (409, "uniqueness")


async def test_what_other_sources_say_is_neither_seen_nor_changed(idp: Provider) -> None:
    idp.store.put([Person("p", "operator", "alice", active=False)])
    assert await idp.names("/Users", 'userName eq "alice"') == []
    assert (await idp.send("GET", "/Users/p")).status == 404
    active = {"op": "replace", "path": "active", "value": True}
    assert (await idp.patch("/Users/p", active)).status == 404
    await idp.user("alice")


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ('userName eq "bob"', ["bob"]),
        ('USERNAME eq "BOB"', ["bob"]),
        ('externalId eq "00uB"', ["bob"]),
        ('externalId eq "00ub"', []),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob"', ["bob"]),
        ("active eq false", ["carol"]),
        ('userName sw "a" or userName ew "ol"', ["alice", "carol"]),
        ('userName eq "x" or 1 eq 1', None),
        ('userName eq "nobody\' OR \'1\'=\'1"', []),
        ('userName eq "*)(uid=*"', []),
        ('userName eq "%"', []),
        ('password eq "x"', None),
        ("userName", None),
        ("userName eq", None),
        ('userName eq "' + "x" * 2_000 + '"', None),
    ],
)  # fmt: skip
async def test_filters(idp: Provider, filter: str, found: list[str] | None) -> None:
    await idp.user("alice", externalId="00uA")
    await idp.user("bob", externalId="00uB")
    await idp.user("carol", active=False)
    if found is not None:
        assert sorted(await idp.names("/Users", filter)) == found
        return
    answer = await idp.send("GET", "/Users", query={"filter": filter})
    assert (answer.status, answer.json["status"]) == (400, "400")


async def test_lists_come_in_pages_under_a_cap(idp: Provider) -> None:
    for n in range(5):
        await idp.user(f"p{n}")
    query = {"startIndex": "2", "count": "2", "sortBy": "userName", "sortOrder": "descending"}
    listed = (await idp.send("GET", "/Users", query=query)).json
    assert [r["userName"] for r in listed["Resources"]] == ["p3", "p2"]
    assert (listed["totalResults"], listed["startIndex"], listed["itemsPerPage"]) == (5, 2, 2)
    idp.store.put([Person(f"q{n}", "scim", f"q{n}") for n in range(300)])
    listed = (await idp.send("GET", "/Users", query={"count": "100000"})).json
    assert (listed["totalResults"], len(listed["Resources"])) == (305, 200)


async def test_only_the_attributes_asked_for_are_answered(idp: Provider) -> None:
    id = (await idp.user("alice", externalId="x"))["id"]
    read = await idp.send("GET", f"/Users/{id}", query={"attributes": "userName"})
    assert set(read.json) == {"schemas", "id", "userName"}


async def test_a_search_may_be_sent_in_the_body(idp: Provider) -> None:
    await idp.group("nurses", (await idp.user("alice"))["id"])
    said = {"schemas": [SEARCH], "filter": 'displayName eq "nurses" or userName eq "alice"'}
    found = await idp.send("POST", "/.search", said)
    assert found.json["totalResults"] == 2
    found = await idp.send("POST", "/Users/.search", {"schemas": [SEARCH]})
    assert found.json["totalResults"] == 1
    assert (await idp.send("GET", "/.search")).status == 405


async def test_groups_and_who_is_in_them(idp: Provider) -> None:
    alice, bob = (await idp.user("alice"))["id"], (await idp.user("bob"))["id"]
    group = await idp.group("nurses", alice)
    path = f"/Groups/{group['id']}"
    await idp.patch(path, {"op": "add", "path": "members", "value": [{"value": bob}]})
    assert idp.store.groups()[0].members == {alice, bob}
    assert (await idp.send("GET", f"/Users/{bob}")).json["groups"] == [
        {"value": group["id"], "display": "nurses"}
    ]
    await idp.patch(path, {"op": "remove", "path": f'members[value eq "{alice}"]'})
    assert idp.store.groups()[0].members == {bob}
    # As Microsoft Entra removes a member.
    await idp.patch(path, {"op": "Remove", "path": "members", "value": [{"value": bob}]})
    assert idp.store.groups()[0].members == set()
    await idp.patch(path, {"op": "replace", "path": "displayName", "value": "ward"})
    assert await idp.names("/Groups", 'displayName eq "ward"') == ["ward"]
    assert (await idp.send("DELETE", path)).status == 204
    assert await idp.names("/Groups", 'displayName eq "ward"') == []
    assert (await idp.send("GET", f"/Users/{bob}")).json.get("groups") is None


async def test_only_users_are_members(idp: Provider) -> None:
    group = (await idp.group("nurses"))["id"]
    for stranger in (group, "nobody", ""):
        answer = await idp.patch(
            f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": stranger}]}
        )
        assert answer.status == 400, stranger
    assert idp.store.groups()[0].members == set()


@pytest.mark.parametrize(
    ("method", "path", "said", "status"),
    [
        ("POST", "/Users", b"{", 400),
        ("POST", "/Users", b"[]", 400),
        ("POST", "/Users", b"null", 400),
        ("POST", "/Users", b'{"userName":"a","userName":"b"}', 400),
        ("POST", "/Users", b'{"a":' * 40 + b"1" + b"}" * 40, 400),
        ("POST", "/Users", {"schemas": [USER]}, 400),
        ("POST", "/Users", {"schemas": [USER], "userName": ""}, 400),
        ("POST", "/Users", {"schemas": [USER], "userName": "a\0b"}, 400),
        ("POST", "/Users", {"schemas": [USER], "userName": "x" * 257}, 400),
        ("POST", "/Users", {"schemas": [USER], "userName": "x", "externalId": " y"}, 400),
        ("POST", "/Users", {"schemas": [USER], "userName": ["x"]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "Operations": [{"op": "drop"}]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "Operations": [
            {"op": "replace", "path": "active", "value": "perhaps"}]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "Operations": [
            {"op": "replace", "path": "id", "value": "mine"}]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "Operations": [
            {"op": "replace", "path": "userName", "value": "a\nb"}]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "Operations": [
            {"op": "remove", "path": "a[" + "(" * 3000}]}, 400),
        ("PATCH", "/Users/ID", {"schemas": [PATCH], "operations": [
            {"op": "add", "value": {}}] * 1_001}, 400),
        ("PUT", "/Users/ID", {"schemas": [USER]}, 400),
        ("DELETE", "/Users", None, 405),
        ("POST", "/Users/ID", {}, 405),
        ("POST", "/Me", {}, 404),
        ("GET", "/Users/../../mcp", None, 404),
        ("GET", "/", None, 404),
    ],
)  # fmt: skip
async def test_bad_input_is_refused_as_scim_says_and_changes_nothing(
    idp: Provider, method: str, path: str, said: Any, status: int
) -> None:
    id = (await idp.user("alice"))["id"]
    before = idp.store.people()
    answer = await idp.send(method, path.replace("ID", id), said)
    assert (answer.status, answer.json["status"]) == (status, str(status))
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert idp.store.people() == before
    assert idp.events.count() == 1


async def test_a_store_that_is_down_is_said(idp: Provider) -> None:
    class Down(type(idp.store)):  # type: ignore[misc]
        def find(self, ids: object) -> object:
            raise StoreDown("sqlite file /data/lockgate.db is gone")

    idp.people._store = Down()
    answer = await idp.send("GET", "/Users/x")
    assert answer.status == 503
    assert b"lockgate.db" not in answer.body


async def test_two_changes_at_once_are_both_made(idp: Provider) -> None:
    """The second finds that what it read has changed, and is made anew."""
    id = (await idp.user("alice"))["id"]
    held, idp.people._store = idp.store, Overtaking(idp.store)
    await idp.patch(f"/Users/{id}", {"op": "replace", "path": "externalId", "value": "x"})
    (kept,) = held.people()
    assert (kept.external_id, kept.user_name) == ("x", "renamed")


class Overtaking:
    """Somebody else is always a little faster, once."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._done = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, people: Any = (), groups: Any = ()) -> Any:
        if not self._done:
            self._done = True
            (held,) = self._store.people()
            self._store.put([msgspec.structs.replace(held, user_name="renamed")])
        return self._store.put(people, groups)


async def test_an_employee_number_is_kept_changed_and_given_up(idp: Provider) -> None:
    """RFC 7643, 4.3: of the enterprise extension this alone."""
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    said = {"schemas": [USER, enterprise], "userName": "alice",
            enterprise: {"employeeNumber": "E-7", "department": "Ward 3"}}  # fmt: skip
    made = (await idp.send("POST", "/Users", said)).json
    assert made[enterprise] == {"employeeNumber": "E-7"}
    assert enterprise in made["schemas"]
    place = f"/Users/{made['id']}"
    change = {"schemas": [PATCH], "Operations": [
        {"op": "replace", "path": f"{enterprise}:employeeNumber", "value": "E-8"}]}  # fmt: skip
    assert (await idp.send("PATCH", place, change)).status == 200
    assert [p.employee for p in idp.store.people()] == ["E-8"]
    found = await idp.send("GET", place)
    assert found.json[enterprise] == {"employeeNumber": "E-8"}
    bare = {"schemas": [USER], "userName": "alice"}
    assert (await idp.send("PUT", place, bare)).status == 200
    assert [p.employee for p in idp.store.people()] == [""]
    bad = said | {enterprise: {"employeeNumber": "a\nb"}}
    assert (await idp.send("PUT", place, bad)).status == 400
