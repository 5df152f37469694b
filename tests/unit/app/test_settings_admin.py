from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from lockgate.app.settings_admin import Admin, Console, rules_of
from lockgate.control_plane.services.privileges import Rules


def console(**given: Any) -> Console:
    """A good one, but for what is given."""
    made = {"issuer": "https://login.example/t1", "origin": "https://gate.example", **given}
    return Console.model_validate_json(orjson.dumps(made))


def test_roles_are_not_enforced_and_there_is_no_console_until_somebody_says_so() -> None:
    assert not Admin().enforced
    assert Console().issuer is None
    assert rules_of(Admin()) == Rules()


@pytest.mark.parametrize("who", ["carol", "os:", "os:a b", "ldap:x", "recovery"])
def test_granters_are_identities(who: str) -> None:
    with pytest.raises(ValidationError):
        Admin.model_validate_json(orjson.dumps({"granters": [who]}))


def test_an_account_and_its_subject_are_one_granter() -> None:
    admin = Admin(granters=("os:carol", "os:alice", "oidc:77"), accounts={"alice": "248"})
    assert rules_of(admin).granters == {"os:carol", "oidc:248", "oidc:77"}


@pytest.mark.parametrize("hours", [0, -1, 25])
def test_a_role_lasts_for_hours_not_days(hours: float) -> None:
    with pytest.raises(ValidationError):
        Admin(longest_hours=hours)


@pytest.mark.parametrize(
    "given",
    [
        {}, {"issuer": "http://127.0.0.1:4000", "origin": "http://localhost:8765"},
        {"client_secret": "file:secrets/console"}, {"client_secret": "env:SECRET"},
    ],
)  # fmt: skip
def test_consoles_that_work(given: dict[str, Any]) -> None:
    assert console(**given).issuer


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"origin": None}, "origin"), ({"origin": "http://gate.example"}, "origin"),
        ({"issuer": "http://login.example"}, "issuer"), ({"issuer": "login.example"}, "issuer"),
        ({"issuer": "https://login.example?x=1"}, "issuer"),
        ({"issuer": "https://u:p@login.example"}, "issuer"),
        ({"client_secret": "plain"}, "client_secret"),
        ({"client_secret": "env:9"}, "client_secret"),
    ],
)  # fmt: skip
def test_consoles_that_are_refused(given: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        console(**given)
    assert caught.value.errors()[0]["ctx"]["at"] == at
