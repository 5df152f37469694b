"""On a real slapd."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.identity.ldap import LdapDirectory, LdapTarget
from lockgate.model.person import DirectoryDown, Listed
from support.directory_server import (
    GROUPS,
    PASSWORD,
    PEOPLE,
    READER,
    DirectoryServer,
    running_directory,
)


@pytest.fixture
def server() -> Iterator[DirectoryServer]:
    with running_directory() as made:
        yield made


def target(server: DirectoryServer, **changes: Any) -> LdapTarget:
    given = {
        "name": "hq", "url": server.secure, "ca_file": str(server.ca), "bind_dn": READER,
        "password": PASSWORD, "base": PEOPLE, "people": "(objectClass=person)",
        "user_name": "uid", "external_id": "entryUUID", "member_of": "memberOf",
    }  # fmt: skip
    return LdapTarget(**{**given, **changes})


def read(server: DirectoryServer, **changes: Any) -> dict[str, Listed]:
    return {one.user_name: one for one in LdapDirectory(target(server, **changes)).read()}


def test_people_their_groups_and_their_state(server: DirectoryServer) -> None:
    alice, bob = server.add("alice"), server.add("bob", nsAccountLock="TRUE")
    server.group("nurses", alice, bob)
    server.group("doctors", alice)
    found = read(server, inactive="(nsAccountLock=TRUE)")
    assert {name: one.active for name, one in found.items()} == {"alice": True, "bob": False}
    assert found["alice"].groups == {f"cn=nurses,{GROUPS}", f"cn=doctors,{GROUPS}"}
    assert uuid.UUID(found["alice"].external_id)
    assert read(server)["bob"].active, "no filter for it"


def test_account_states_of_active_directory(server: DirectoryServer) -> None:
    guid = uuid.uuid4()
    server.add("alice", userAccountControl=512, objectGUID=guid.bytes_le)
    server.add("bob", userAccountControl=514)
    found = read(
        server, inactive="(userAccountControl:1.2.840.113556.1.4.803:=2)", external_id="objectGUID"
    )
    assert {name: one.active for name, one in found.items()} == {"alice": True, "bob": False}
    assert (found["alice"].external_id, found["bob"].external_id) == (str(guid), "")


def test_more_people_than_fit_one_page(server: DirectoryServer) -> None:
    server.add(*(f"p{n}" for n in range(1_101)))
    assert len(read(server)) == 1_101


def test_a_list_that_was_cut_short_is_no_list(server: DirectoryServer) -> None:
    server.add(*(f"p{n}" for n in range(12)))
    server.stop()
    server.configure(limit="5")
    server.start()
    with pytest.raises(DirectoryDown, match="sizeLimitExceeded"):
        read(server)


def test_tls_may_begin_on_the_plain_port(server: DirectoryServer) -> None:
    server.add("alice")
    assert read(server, url=server.plain, start_tls=True).keys() == {"alice"}


@pytest.mark.parametrize("secure", [True, False], ids=["ldaps", "start_tls"])
def test_a_certificate_that_leads_nowhere_is_refused(server: DirectoryServer, secure: bool) -> None:
    url = server.secure if secure else server.plain
    with pytest.raises(DirectoryDown, match="certificate"):
        read(server, url=url, start_tls=not secure, ca_file="")


@pytest.mark.parametrize("secure", [True, False], ids=["ldaps", "start_tls"])
def test_a_certificate_of_another_name_is_refused(server: DirectoryServer, secure: bool) -> None:
    url = (server.secure if secure else server.plain).replace("127.0.0.1", "localhost")
    with pytest.raises(DirectoryDown, match="certificate"):
        read(server, url=url, start_tls=not secure)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"base": "ou=nowhere,dc=example"},
        {"people": "(objectClass=person"},
        {"inactive": "nsAccountLock=TRUE)("},
        {"bind_dn": "", "password": ""},
        {"url": "ldap://127.0.0.1:1"},
        {"ca_file": "/nowhere/ca.pem"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_goes_wrong_is_told_without_the_secret(
    server: DirectoryServer, changes: dict[str, Any]
) -> None:
    server.add("alice")
    with pytest.raises(DirectoryDown) as caught:
        read(server, **changes)
    assert PASSWORD not in str(caught.value) + repr(target(server))


def test_names_that_look_like_filters_are_names(server: DirectoryServer) -> None:
    strange = ["*", "*)(uid=*", "a(b)c", "x,y=z", "\\2a", "Ümläut"]
    server.add(*strange)
    assert read(server).keys() == set(strange)


def test_who_has_no_name_is_left_out(server: DirectoryServer) -> None:
    server.change(server.add("alice"), uid=None)
    server.add("bob")
    assert read(server).keys() == {"bob"}


def test_employee_numbers_tell_accounts_of_one_person(server: DirectoryServer) -> None:
    server.add("alice", employeeNumber="E-7")
    server.add("a-adm", employeeNumber="E-7")
    server.add("bob")
    found = read(server, employee="employeeNumber")
    assert {name: one.employee for name, one in found.items()} == {
        "alice": "E-7", "a-adm": "E-7", "bob": "",
    }  # fmt: skip
    assert {one.employee for one in read(server).values()} == {""}, "not asked for"
