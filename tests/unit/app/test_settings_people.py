from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.settings import Settings
from lockgate.app.settings_file import SettingsInvalid, load, parse
from lockgate.app.settings_people import LdapSettings, PeopleSettings

GOOD: dict[str, Any] = {"url": "ldaps://ldap.example", "base": "dc=example"}


def ldap(**changes: Any) -> LdapSettings:
    return LdapSettings.model_validate({**GOOD, **changes})


def refused_at(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ldap(**changes)
    return str(caught.value.errors()[0]["ctx"]["at"])


def test_by_default_there_is_no_source() -> None:
    made = PeopleSettings()
    assert (made.scim_secrets, made.ldap, made.required) == ((), {}, None)
    for model in (PeopleSettings, LdapSettings):
        assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("url", ["ldaps://a", "ldaps://a:3636", "ldap://127.0.0.1:389"])
def test_addresses_that_are_taken(url: str) -> None:
    assert ldap(url=url).url == url


@pytest.mark.parametrize("url", ["ldap://a", "http://a", "a", "ldaps://", "ldaps://a/dc=x"])
def test_addresses_that_are_refused(url: str) -> None:
    assert refused_at(url=url) == "url"


def test_tls_on_the_plain_port_will_do() -> None:
    assert ldap(url="ldap://ldap.example", start_tls=True).start_tls


def test_a_name_and_its_secret_come_together() -> None:
    assert refused_at(bind_dn="cn=gate") == "bind_dn"
    assert refused_at(password="env:P") == "bind_dn"
    assert ldap(bind_dn="cn=gate", password="env:P").password == "env:P"


def test_the_bounds_fit_together() -> None:
    assert refused_at(poll_seconds=60, max_age_seconds=59) == "max_age_seconds"


@pytest.mark.parametrize("value", ["hunter2hunter2", "env:9", "file:"])
def test_secrets_are_refused_and_not_repeated(value: str) -> None:
    for given in (
        {"scim_secrets": (value,)},
        {"ldap": {"a": {**GOOD, "bind_dn": "x", "password": value}}},
    ):
        with pytest.raises(ValidationError) as caught:
            PeopleSettings.model_validate(given)
        assert "hunter2" not in str(caught.value.errors()[0]["ctx"])


def test_a_secret_in_the_file_is_not_shown(tmp_path: Any) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parse("people: {scim_secrets: hunter2hunter2}")
    assert "hunter2" not in str(caught.value)
    assert "people.scim_secrets" in str(caught.value)


def test_paths_are_taken_from_the_file_s_folder(tmp_path: Any) -> None:
    place = tmp_path / "lockgate.yaml"
    place.write_text(
        "people: {scim_secrets: 'file:s', ldap: {hq: {url: 'ldaps://a', base: x, bind_dn: y,"
        " password: 'file:p', ca_file: ca.pem}}}"
    )
    people = load(place).people
    assert people.scim_secrets == (f"file:{tmp_path}/s",)
    assert people.ldap["hq"].password == f"file:{tmp_path}/p"
    assert people.ldap["hq"].ca_file == f"{tmp_path}/ca.pem"


def test_a_group_s_role_may_stand_alone() -> None:
    made = Settings.model_validate({"people": {"roles": {"staff": "employee"}}})
    assert made.people.roles == {"staff": ("employee",)}
