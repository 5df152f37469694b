import logging

import pytest

from lockgate.app.stores import load_extra
from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import SecretUnavailable
from lockgate.store.secret_backends.aws import AwsClients, SecretsManagerSecrets, SsmSecrets
from support.secret_servers import AWS, Aws

PARAMETER = Reference("ssm", "/unit/a")
MANAGED = Reference("secretsmanager", "unit/a")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


def test_the_extra_is_named_where_it_is_missing() -> None:
    def missing(module: str) -> object:
        return load_extra(f"keyring.{module}_that_nobody_has")

    with pytest.raises(ReferenceBroken, match=r"install lockgate\[keyring\]"):
        SsmSecrets(AwsClients(missing)).read(PARAMETER)


def test_what_cannot_be_reached_is_unavailable() -> None:
    clients = AwsClients(load_extra, "eu-central-1", "http://127.0.0.1:1")
    with pytest.raises(SecretUnavailable, match="EndpointConnectionError") as caught:
        SecretsManagerSecrets(clients).read(MANAGED)
    assert caught.value.__context__ is None


def test_no_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SecretUnavailable, match=r"NoRegionError.*secrets\.aws"):
        SsmSecrets(AwsClients(load_extra)).read(PARAMETER)


def test_the_environment_leads_it_nowhere_else(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    aws.client("ssm").put_parameter(Name="/unit/led", Value="a", Type="SecureString")
    made = AwsClients(load_extra, "eu-central-1")
    client = made._client(Reference("ssm", "/unit/led"), "ssm")
    assert client.meta.endpoint_url == "https://ssm.eu-central-1.amazonaws.com"


def test_a_parameter_stays_encrypted_with_its_own_key(aws: Aws) -> None:
    client, keys = aws.client("ssm"), aws.client("kms")
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    client.put_parameter(Name="/unit/keyed", Value="a", Type="SecureString", KeyId=key)
    reference = Reference("ssm", "/unit/keyed")
    backend = SsmSecrets(AwsClients(load_extra, "eu-central-1", aws.endpoint))
    backend.write(reference, "b")
    wanted = [{"Key": "Name", "Values": ["/unit/keyed"]}]
    (found,) = client.describe_parameters(ParameterFilters=wanted)["Parameters"]
    assert (found["Type"], found["KeyId"]) == ("SecureString", key)
    assert backend.read(reference).value == "b"


def test_a_binary_secret_is_refused(aws: Aws) -> None:
    aws.client("secretsmanager").create_secret(Name="unit/binary", SecretBinary=b"\x00canary")
    backend = SecretsManagerSecrets(AwsClients(load_extra, "eu-central-1", aws.endpoint))
    with pytest.raises(ReferenceBroken, match="is binary"):
        backend.read(Reference("secretsmanager", "unit/binary"))


def test_its_libraries_do_not_log_what_they_are_told(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-in-a-debug-log"
    aws.client("ssm").put_parameter(Name="/unit/logged", Value=canary, Type="SecureString")
    caplog.clear()
    backend = SsmSecrets(AwsClients(load_extra, "eu-central-1", aws.endpoint))
    assert backend.read(Reference("ssm", "/unit/logged")).value == canary
    assert canary not in caplog.text
