from lockgate.app.settings import Settings
from lockgate.app.settings_credential import CredentialSettings, UpstreamTls
from lockgate.app.upstream_identity import (
    Subjects,
    UpstreamIdentity,
    credential_of,
    reach_of,
    tls_of,
)
from lockgate.model import Upstream
from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.store.sealing import AesGcmSealer
from lockgate.upstream.catalogue import Registry
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.rfc8693_exchange import SubjectToken
from lockgate.upstream.target import Registered, StdioTarget, Tls

SETTINGS = Settings.model_validate({
    "fetch": {"origins": ("https://tokens.example",), "internal": ("https://idp.corp:8443",)},
    "upstreams": {
        "a": {"url": "https://a.example/mcp", "credential": {
            "mode": "id_jag", "issuer": "https://as.example/t/1", "client": {"id": "x"},
            "provider": {"issuer": "https://idp.corp:8443/x"}}},
        "b": {"url": "https://b.example/mcp", "credential": {"mode": "account"}},
        "c": {"url": "https://c.example/mcp"},
        "d": {"url": "https://d.example/mcp", "credential": {"mode": "static"}},
    },
})  # fmt: skip


def test_only_those_are_asked_whom_the_settings_name() -> None:
    reach = reach_of(SETTINGS, str)
    assert reach.internal == {"https://idp.corp:8443"}
    assert reach.origins == {
        "https://tokens.example", "https://a.example", "https://as.example",
        "https://idp.corp:8443", "https://b.example",
    }  # fmt: skip


def test_an_address_that_is_none_is_not_asked() -> None:
    assert not {"a.example", "b.example"} & set(reach_of(SETTINGS, lambda _: "no url").origins)


def test_secrets_are_resolved_where_the_credential_is_made() -> None:
    provider = {"issuer": "https://i.example", "client": {"id": "y", "private_key": "env:B"}}
    given = {"mode": "id_jag", "client": {"id": "x", "secret": "env:A"}, "provider": provider,
             "subject_token": "id_token"}  # fmt: skip
    made = credential_of(CredentialSettings.model_validate(given), lambda text: f"<{text}>")
    assert (made.client.secret, made.idp_client.key) == ("<env:A>", "<env:B>")
    assert made.subject_type == "urn:ietf:params:oauth:token-type:id_token"
    assert credential_of(None, str).mode == "none"


def test_files_are_named_for_the_connection() -> None:
    assert tls_of(None) == Tls()
    assert tls_of(UpstreamTls(certificate="c", key="k", authorities="a")) == Tls("c", "k", "a")


def test_tokens_of_people_come_from_whoever_authenticates() -> None:
    subjects = Subjects()
    assert subjects.token_of("person:alice", "k") is None
    held = SubjectToken("t")
    subjects.ask = lambda holder, kind: held if (holder, kind) == ("person:alice", "k") else None
    assert subjects.token_of("person:alice", "k") == held
    assert subjects.token_of("person:bob", "k") is None


def test_an_identity_asks_nobody_before_it_is_configured() -> None:
    made = UpstreamIdentity(MemoryAccounts(lambda: 0), AesGcmSealer(b"k" * 32), Registry())
    assert not made.reach.origins
    made.base = "https://gate.example"
    assert made.connecting.link("person:a", "b").startswith("https://gate.example/connect?ticket=")


def test_tokens_of_those_who_are_gone_are_not_kept() -> None:
    made = UpstreamIdentity(MemoryAccounts(lambda: 0), AesGcmSealer(b"k" * 32), Registry())
    for holder in ("person:alice", "person:bob"):
        made.credentials.borrow(
            Registered(Upstream("notes"), StdioTarget(())), holder, Token("t", 9)
        )
    made.forget(lambda holder: holder == "person:alice")
    assert made.credentials.holders() == {"person:bob"}
