from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.settings_credential import (
    CredentialSettings,
    FetchSettings,
    UpstreamTls,
    anchored,
    anchored_files,
)
from lockgate.app.settings_kinds import Closed

URL = "https://up.example/mcp"
CLIENT = {"id": "lockgate", "secret": "file:./secret"}


def upstream(**credential: Any) -> UpstreamSettings:
    return UpstreamSettings.model_validate({"url": URL, "credential": credential})


@pytest.mark.parametrize(
    "credential",
    [
        {"mode": "none"},
        {"mode": "static"},
        {"mode": "account"},
        {"mode": "account", "issuer": "https://auth.example", "scopes": ("a",)},
        {"mode": "client_credentials", "client": CLIENT},
        {"mode": "client_credentials",
         "client": {"id": "x", "private_key": "env:KEY", "auth": "private_key_jwt"}},
        {"mode": "exchange", "client": CLIENT, "audience": "x", "subject_token": "id_token"},
        {"mode": "id_jag", "client": CLIENT,
         "provider": {"issuer": "https://idp.example", "client": CLIENT}},
        {"mode": "account", "issuer": "http://127.0.0.1:8080"},
    ],
)  # fmt: skip
def test_what_may_be_said(credential: dict[str, Any]) -> None:
    assert upstream(**credential).credential is not None


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({"mode": "passthrough"}, "none"),
        ({"mode": "none", "issuer": "https://a.example"}, "nothing beside"),
        ({"mode": "exchange"}, "a client"),
        ({"mode": "client_credentials"}, "a client"),
        ({"mode": "id_jag", "client": CLIENT}, "a provider"),
        ({"mode": "account", "provider": {"issuer": "https://i.example"}}, "a provider"),
        ({"mode": "account", "issuer": "http://auth.example"}, "https"),
        ({"mode": "account", "issuer": "https://a.example?x=1"}, "https"),
        ({"mode": "account", "issuer": "https://u@a.example"}, "https"),
        ({"mode": "account", "client": {"id": "x", "secret": "plain"}}, "reference"),
        ({"mode": "account", "client": {"id": "x", "secret": "env:1"}}, "reference"),
        ({"mode": "account", "client": {"secret": "env:A"}}, "an id"),
        ({"mode": "account", "client": {**CLIENT, "private_key": "env:A"}}, "either"),
        ({"mode": "account", "client": {"id": "x", "auth": "private_key_jwt"}}, "private_key"),
        ({"mode": "account", "client": {"id": "x", "auth": "client_secret_post"}}, "a secret"),
    ],
)
def test_what_may_not(credential: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        upstream(**credential)
    assert expected in str(refused.value)


def test_no_connection_is_shared_where_people_come_as_themselves() -> None:
    for mode in ("account", "exchange", "id_jag"):
        given = {"mode": mode, "client": CLIENT}
        if mode == "id_jag":
            given["provider"] = {"issuer": "https://idp.example"}
        with pytest.raises(ValidationError, match="sharing: principal"):
            UpstreamSettings.model_validate({"url": URL, "sharing": "shared", "credential": given})
    shared = {"mode": "client_credentials", "client": CLIENT}
    UpstreamSettings.model_validate({"url": URL, "sharing": "shared", "credential": shared})


def test_tokens_go_over_http_only() -> None:
    with pytest.raises(ValidationError, match="an upstream with a url"):
        UpstreamSettings.model_validate({"command": "x", "credential": {"mode": "account"}})
    with pytest.raises(ValidationError, match="no tls beside command"):
        UpstreamSettings.model_validate({"command": "x", "tls": {"authorities": "ca.pem"}})


def test_a_key_needs_its_certificate() -> None:
    with pytest.raises(ValidationError, match="a certificate"):
        UpstreamTls(key="key.pem")


def test_paths_are_taken_from_the_settings_file(tmp_path: Path) -> None:
    provider = {"issuer": "https://idp.example", "client": CLIENT}
    given = {"mode": "id_jag", "client": CLIENT, "provider": provider}
    credential = CredentialSettings.model_validate(given)
    made = anchored(credential, lambda text: text.replace("./", "/at/"))
    assert made is not None
    assert made.provider is not None
    assert (made.client.secret, made.provider.client.secret) == ("file:/at/secret",) * 2
    files = anchored_files(UpstreamTls(certificate="c.pem", authorities="/ca.pem"), tmp_path)
    assert files == UpstreamTls(certificate=str(tmp_path / "c.pem"), authorities="/ca.pem")
    assert anchored(None, str) is None
    assert anchored_files(None, tmp_path) is None


def test_every_setting_is_described() -> None:
    for model in (CredentialSettings, UpstreamTls, FetchSettings):
        assert issubclass(model, Closed)
        assert all(field.description for field in model.model_fields.values())
    assert Settings().fetch == FetchSettings()
