import orjson
import pytest

from lockgate.app.protected_resource import WELL_KNOWN, ProtectedResource
from lockgate.identity.dpop import Nonces
from lockgate.identity.issuer import Issuer
from lockgate.identity.profiles import PROFILES

BASE = "https://gate.example"
NONCES = Nonces(b"n" * 32)
CORP = Issuer(
    "corp", "https://issuer.example", PROFILES["generic"],
    scopes=frozenset({"mcp.use", "offline_access"}),
)  # fmt: skip


def resource(*issuers: Issuer) -> ProtectedResource:
    known = {one.url: one for one in issuers}
    return ProtectedResource(lambda: known, NONCES, lambda: 1_000_000)


@pytest.mark.parametrize(
    ("path", "named"),
    [("", "/mcp"), ("/", "/mcp"), ("/mcp", "/mcp"), ("/mcp/", "/mcp"), ("/mcp/git", "/mcp/git")],
)
def test_metadata_stand_at_the_root_and_where_the_path_is_inserted(path: str, named: str) -> None:
    found = resource(CORP).document(WELL_KNOWN + path, BASE)
    assert found is not None
    said = orjson.loads(found)
    assert said["resource"] == BASE + named
    assert said["authorization_servers"] == ["https://issuer.example"]
    assert said["scopes_supported"] == ["mcp.use"], "offline_access is never asked for"
    assert said["bearer_methods_supported"] == ["header"]


@pytest.mark.parametrize("shown", [True, False])
def test_whether_a_token_can_be_bound_to_a_certificate_is_told_as_it_is(shown: bool) -> None:
    known = {CORP.url: CORP}
    told = ProtectedResource(lambda: known, NONCES, lambda: 0, lambda: shown)
    found = told.document(WELL_KNOWN, BASE)
    assert found is not None
    assert orjson.loads(found)["tls_client_certificate_bound_access_tokens"] is shown


@pytest.mark.parametrize("path", ["/other", "/mcpx", "x"])
def test_other_paths_have_none(path: str) -> None:
    assert resource(CORP).document(WELL_KNOWN + path, BASE) is None


def test_without_an_issuer_there_is_nothing_to_find() -> None:
    assert resource().document(WELL_KNOWN, BASE) is None


def said(reason: str, *issuers: Issuer, path: str = "/mcp/git") -> list[tuple[str, str]]:
    headers = resource(*issuers).challenge(reason, BASE, path)
    return [(name.decode(), value.decode()) for name, value in headers]


def test_a_challenge_says_where_to_get_a_token() -> None:
    (_, bearer), (_, dpop) = said("auth.missing", CORP)
    assert bearer == (
        f'Bearer realm="lockgate", resource_metadata="{BASE}{WELL_KNOWN}/mcp/git", scope="mcp.use"'
    )
    assert dpop.startswith('DPoP algs="')
    assert said("auth.invalid", CORP)[0][1].endswith(', error="invalid_token"')
    assert said("auth.mismatch", CORP)[0][1].endswith(', error="invalid_token"')
    assert said("auth.scope", CORP)[0][1].endswith(', error="insufficient_scope"')


def test_no_path_can_end_the_quotes() -> None:
    (_, bearer), _ = said("auth.missing", CORP, path='/mcp/a", error="x')
    assert bearer.count('"') == 6
    (_, bearer), _ = said("auth.missing", CORP, path="/elsewhere")
    assert f"{WELL_KNOWN}/mcp" in bearer


def test_a_proof_without_a_nonce_gets_one() -> None:
    (_, challenge), (name, nonce) = said("auth.nonce", CORP)
    assert challenge.endswith('error="use_dpop_nonce"')
    assert name == "dpop-nonce"
    assert NONCES.good(nonce, 1_000_000)
    assert said("auth.proof", CORP)[0][1].endswith('error="invalid_dpop_proof"')


def test_who_has_only_keys_is_not_sent_to_look_for_tokens() -> None:
    assert said("auth.missing") == [("www-authenticate", 'Bearer realm="lockgate"')]
    assert said("auth.invalid") == [
        ("www-authenticate", 'Bearer realm="lockgate", error="invalid_token"')
    ]


def test_other_refusals_challenge_nobody() -> None:
    assert said("wire.too-large", CORP) == []
    assert said("auth.unknown", CORP) == []
