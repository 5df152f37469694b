from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.app.settings_issuers import IssuerSettings
from lockgate.identity.dpop import NONCE_SECONDS, PROOF_SECONDS
from lockgate.identity.key_sets import REFRESH_SECONDS, STALE_SECONDS
from lockgate.identity.profiles import PROFILES
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping

CORP: dict[str, Any] = {"url": "https://issuer.example"}
ASKED = {"url": "https://issuer.example/introspect", "secret": "env:S", "client": "gate"}


def settings(**blocks: Any) -> Settings:
    return Settings.model_validate(blocks)


def test_an_issuer_is_its_url_and_safe_defaults() -> None:
    found = IssuerSettings(**CORP)
    assert (found.profile, found.namespace, found.internal) == ("generic", None, False)


@pytest.mark.parametrize(
    "given",
    [
        {"url": "http://issuer.example"},
        {"url": "https://user@issuer.example"},
        {"url": "https://issuer.example?x=1"},
        {"url": "ftp://issuer.example"},
        {**CORP, "keys_url": "https://a.example", "keys_file": "keys.json"},
        {**CORP, "profile": "google"},
        {**CORP, "profile": "unheard-of"},
        {**CORP, "leeway_seconds": 301},
        {**CORP, "introspection": {**ASKED, "secret": "plain"}},
        {**CORP, "introspection": {**ASKED, "secret": "env:"}},
        {**CORP, "scopes": frozenset({"two words"})},
        {**CORP, "surprise": 1},
    ],
)
def test_what_is_not_safe_or_not_known_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IssuerSettings(**given)


def test_loopback_may_be_plain() -> None:
    assert IssuerSettings(url="http://127.0.0.1:9000").url == "http://127.0.0.1:9000"


def test_a_token_is_shown_to_one_issuer_only() -> None:
    one = {**CORP, "introspection": ASKED}
    other = {**one, "url": "https://other.example"}
    settings(issuers={"a": one, "b": {"url": "https://other.example"}})
    with pytest.raises(ValidationError, match="one issuer"):
        settings(issuers={"a": one, "b": other})


def test_an_issuer_is_named_once() -> None:
    with pytest.raises(ValidationError, match="each issuer once"):
        settings(issuers={"a": CORP, "b": CORP})


@pytest.mark.parametrize(
    "url", ["gate.example", "https://gate.example/mcp", "https://g?x", "https://a b", "https://a\n"]
)
def test_the_public_url_has_no_path(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(listen={"public_url": url})


def test_a_public_url_is_any_origin() -> None:
    found = settings(listen={"public_url": "https://gate.hospital.test:8443"})
    assert found.listen.public_url == "https://gate.hospital.test:8443"


@pytest.mark.parametrize("listen", [{"host": "192.0.2.1", "hosts": ("g",)}, {}])
def test_where_others_reach_the_gate_no_client_chooses_the_resource(listen: dict[str, Any]) -> None:
    exposed = {**listen, "behind_tls_proxy": True}
    with pytest.raises(ValidationError, match="public_url"):
        settings(issuers={"a": CORP}, listen=exposed)
    settings(issuers={"a": CORP}, listen={**exposed, "public_url": "https://g"})


def test_beside_a_directory_each_issuer_says_whether_its_people_are_the_directory_s() -> None:
    people = {"scim_secrets": ["env:SCIM"]}
    with pytest.raises(ValidationError, match="namespace"):
        settings(issuers={"a": CORP}, people=people)
    for namespace in ("", "partner/"):
        settings(issuers={"a": {**CORP, "namespace": namespace}}, people=people)


PAGE = (Path(__file__).parents[3] / "docs" / "issuers.md").read_text()


def test_the_page_says_what_each_profile_needs_and_how_long_things_last() -> None:
    for name, one in PROFILES.items():
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        assert one.registration in row
        assert one.remark in row
    assert f"every {REFRESH_SECONDS:g} s, and trusted for {STALE_SECONDS:g} s" in PAGE
    assert f"({NONCE_SECONDS} s), be at most {PROOF_SECONDS} s old" in PAGE


def test_the_rule_of_the_page_is_good_policy() -> None:
    rule = PAGE.split("```cedar\n")[1].split("```")[0]
    PolicyBundle.compile({"page.cedar": rule}, ArgumentMapping({}))


def test_the_settings_of_the_page_are_settings() -> None:
    found = parse(PAGE.split("```yaml\n")[1].split("```")[0].replace(", workload: desk", ""))
    assert found.issuers["corp"].profile == "entra-v2"
