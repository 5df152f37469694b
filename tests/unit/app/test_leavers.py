"""docs/leavers.md promises what the program does."""

import re
from pathlib import Path

from lockgate.app.background import REFRESH_SECONDS
from lockgate.app.departures import DEPARTED_SECONDS, REVOKE_SECONDS
from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.provisioning import TRY_SECONDS
from lockgate.app.scim_door import SHORTEST_SECRET
from lockgate.app.settings_limits import Limits
from lockgate.app.settings_people import LdapSettings
from lockgate.app.streams import CHECK_SECONDS
from lockgate.identity.introspection import KNOWN_SECONDS
from lockgate.identity.ldap import READ_SECONDS
from lockgate.store.feed import STALE_MS
from lockgate.upstream.accounts import LEASE_SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "leavers.md").read_text()
STALE = STALE_MS / 1000
ONE = LdapSettings(url="ldaps://a", base="b")
READING = TRY_SECONDS + READ_SECONDS + REFRESH_SECONDS


def row(begins: str) -> list[str]:
    (found,) = (line for line in PAGE.splitlines() if line.startswith(f"| {begins}"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def said(seconds: float, before: str = "") -> str:
    return f"{before}{seconds:g}"


def test_what_the_operator_or_the_identity_provider_says() -> None:
    streams = said(REFRESH_SECONDS + CHECK_SECONDS)
    scim = row("SCIM")
    told = f"0 in the worker that was told, {REFRESH_SECONDS:g} in others"
    assert scim[:2] == [told, streams]
    for command in ("`lockgate people deactivate`", "`lockgate keys revoke`"):
        assert row(command)[:2] == [said(REFRESH_SECONDS), streams]


def test_what_an_issuer_says_of_its_tokens() -> None:
    streams = said(REFRESH_SECONDS + CHECK_SECONDS)
    told = f"0 in the worker that was told, {REFRESH_SECONDS:g} in others"
    assert row(f"Back-channel logout of an issuer (`{LOGOUT}`)")[:2] == [told, streams]
    assert row("`lockgate tokens revoke`")[:2] == [said(REFRESH_SECONDS), streams]
    asked = row("Introspection")[:2]
    assert asked == [said(KNOWN_SECONDS), said(KNOWN_SECONDS + CHECK_SECONDS)]


def test_what_a_directory_says() -> None:
    turn = f"`poll_seconds` (at least {READ_SECONDS:g}) + "
    assert row("LDAP |")[:2] == [said(READING, turn), said(READING + CHECK_SECONDS, turn)]
    assert f"every {TRY_SECONDS:g} s; a reading takes at most {READ_SECONDS:g} s" in PAGE
    assert row("LDAP, while")[:2] == [
        "`max_age_seconds`",
        said(CHECK_SECONDS, "`max_age_seconds` + "),
    ]


def test_what_is_not_known() -> None:
    assert row("The database")[:2] == [said(STALE), said(STALE + CHECK_SECONDS)]


def test_numbers_in_the_text() -> None:
    defaults = f"`poll_seconds` {ONE.poll_seconds:g}, `max_age_seconds` {ONE.max_age_seconds:g}"
    assert defaults in PAGE
    assert f"`limits.call_seconds` ({Limits().call_seconds:g})" in PAGE
    assert f"every {CHECK_SECONDS:g} s" in PAGE
    assert f"at least {SHORTEST_SECRET} characters" in PAGE
    assert f"each looks every {DEPARTED_SECONDS:g} s" in PAGE
    assert f"answers within {REVOKE_SECONDS:g} s" in PAGE
    assert f"lease of {LEASE_SECONDS:g} s" in PAGE
    assert REVOKE_SECONDS * 2 <= LEASE_SECONDS, "there is time left to delete it"


def test_settings_that_are_named_exist() -> None:
    named = set(re.findall(r"`(\w+): ", PAGE)) - {"active"}
    assert named == {"user_name", "external_id", "filter", "inactive"}
    assert named <= set(LdapSettings.model_fields)
