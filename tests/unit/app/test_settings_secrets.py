from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.settings_file import load, parse
from lockgate.app.settings_secrets import AwsSettings, SecretsSettings, VaultSettings
from lockgate.model.reference import Reference

A = Reference("vault", "kv/a", "Bearer ", "t")


@pytest.mark.parametrize(
    "given",
    [{"address": "http://vault.example:8200"}, {"address": "vault.example"},
     {"address": "https://u:p@vault.example"}, {"address": "https://vault.example?x=1"},
     {"auth": "token hvs.a-plain-token"}, {"auth": "token vault:kv/a#t"}, {"namespace": "a\nb"},
     {"token": "x"}],
)  # fmt: skip
def test_what_is_unsafe_or_unknown_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VaultSettings.model_validate(given)


def test_what_is_taken() -> None:
    made = VaultSettings(address="http://127.0.0.1:8200", auth="token env:T", namespace="team")
    assert made.address == "http://127.0.0.1:8200"
    assert AwsSettings(region="eu-central-1", endpoint="https://vpce.example").endpoint
    with pytest.raises(ValidationError):
        AwsSettings(endpoint="http://aws.example")


def test_a_secret_in_the_place_of_its_reference_is_not_repeated() -> None:
    with pytest.raises(Exception, match=r"secrets\.vault\.auth") as caught:
        parse("secrets: {vault: {auth: 'token hvs.s3cret'}}")
    assert "s3cret" not in str(caught.value)


def test_how_old_a_secret_may_be() -> None:
    assert SecretsSettings().max_age(A) == 90
    made = SecretsSettings(max_age_days={"default": 30, "vault:kv/a#t": 7})
    assert (made.max_age(A), made.max_age(Reference("env", "B"))) == (7, 30)
    for broken in ({"kv/a": 1}, {"vault:": 1}, {"default": 0}):
        with pytest.raises(ValidationError):
            SecretsSettings(max_age_days=broken)


def test_paths_are_relative_to_the_file(tmp_path: Any) -> None:
    path = tmp_path / "lockgate.yaml"
    path.write_text(
        "secrets:\n  vault: {auth: 'approle r file:id', ca_file: ca.pem}\n"
        "  max_age_days: {'file:a': 3}\n"
    )
    made = load(path).secrets
    assert made.vault.auth == f"approle r file:{tmp_path}/id"
    assert made.vault.ca_file == f"{tmp_path}/ca.pem"
    assert made.max_age_days == {f"file:{tmp_path}/a": 3}
