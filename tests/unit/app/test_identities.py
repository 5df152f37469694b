from typing import Any

import pytest

from lockgate.app.identities import (
    Denied,
    console_origins,
    issuers_of,
    reach_of,
    resources,
    vouching,
)
from lockgate.app.settings import Settings
from lockgate.app.settings_admin import Console
from lockgate.identity.access_token import Accepted
from lockgate.identity.issuer import Client
from lockgate.model import Principal
from lockgate.model.reference import ReferenceBroken
from lockgate.model.revocation import Revocation, RevocationKind
from lockgate.store.revocations import MemoryRevocations

CORP: dict[str, Any] = {
    "url": "https://issuer.example", "audiences": frozenset({"gate"}),
    "clients": {"desk": {"agent": "desk-agent", "owner": "carol"}},
    "introspection": {"url": "https://ask.example/i", "client": "us", "secret": "env:S"},
    "origins": frozenset({"https://keys.example"}),
}  # fmt: skip


def settings(**blocks: Any) -> Settings:
    return Settings.model_validate(blocks)


def test_settings_become_an_issuer_with_its_secret() -> None:
    found = issuers_of(settings(issuers={"corp": CORP}), lambda text: f"<{text}>")
    one = found["https://issuer.example"]
    assert (one.name, one.namespace) == ("corp", "corp/")
    assert one.clients == {"desk": Client("desk-agent", "carol")}
    assert one.introspection is not None
    assert one.introspection.secret == "<env:S>"
    plain = issuers_of(settings(issuers={"corp": {**CORP, "namespace": ""}}), str)
    assert plain["https://issuer.example"].namespace == ""


def test_a_secret_that_cannot_be_had_stops_it() -> None:
    def broken(_: str) -> str:
        raise ReferenceBroken("no such variable")

    with pytest.raises(ReferenceBroken):
        issuers_of(settings(issuers={"corp": CORP}), broken)


def test_only_issuers_and_what_they_name_may_be_asked() -> None:
    listed = {"corp": CORP, "near": {"url": "http://127.0.0.1:9000"},
              "inside": {"url": "https://sso.internal", "internal": True}}  # fmt: skip
    reach = reach_of(settings(issuers=listed))
    assert reach.origins >= {
        "https://issuer.example", "https://ask.example", "https://keys.example",
    }  # fmt: skip
    assert reach.internal == {"http://127.0.0.1:9000", "https://sso.internal"}


def test_where_the_console_signs_in_is_an_issuer_that_knows_this_gateway() -> None:
    console = Console(issuer="https://issuer.example", origin="https://gate.example",
                      provider_origins=("https://keys.example",))  # fmt: skip
    assert console_origins(console) == {"https://issuer.example", "https://keys.example"}
    assert console_origins(Console()) == frozenset()
    (alone,) = vouching({}, console).values()
    assert (alone.url, alone.namespace) == ("https://issuer.example", "")
    assert alone.clients == {"lockgate": Client()}
    listed = issuers_of(settings(issuers={"corp": CORP}), str)
    assert vouching(listed, Console()) == listed
    (both,) = vouching(listed, console).values()
    assert (both.name, sorted(both.clients)) == ("corp", ["desk", "lockgate"])
    assert list(listed["https://issuer.example"].clients) == ["desk"], "of access tokens"


def test_the_name_of_the_host_is_no_path() -> None:
    assert resources("https://mcp.example/mcp/git") == {
        "https://mcp.example/mcp", "https://mcp.example/mcp/",
        "https://mcp.example/mcp/git", "https://mcp.example/mcp/git/",
    }  # fmt: skip


def test_a_resource_is_the_whole_gateway_or_one_endpoint() -> None:
    assert resources("https://gate.example/mcp/git/") == {
        "https://gate.example/mcp", "https://gate.example/mcp/",
        "https://gate.example/mcp/git", "https://gate.example/mcp/git/",
    }  # fmt: skip


ROWS: list[tuple[RevocationKind, str, int, bool]] = [
    ("token", "jti", 0, True),
    ("session", "sid", 0, True),
    ("subject", "sub", 5_000, True),
    ("subject", "sub", 4_999, False),  # it was issued after
    ("token", "sub", 0, False),
]


@pytest.mark.parametrize(("kind", "value", "before", "revoked"), ROWS)
def test_a_revocation_is_found_by_token_session_and_subject(
    kind: RevocationKind, value: str, before: int, revoked: bool
) -> None:
    rows = MemoryRevocations()
    token = Accepted(Principal("person", "a"), "i", "sub", frozenset(), 9, 5, "jti", "sid")
    assert not Denied(rows).revoked(token)
    rows.add(Revocation(kind, "i", value, before, 99_000))
    assert Denied(rows).revoked(token) is revoked
