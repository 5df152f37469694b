"""Secrets at Amazon Web Services: ``ssm:<name>`` (Systems Manager Parameter Store) and
``secretsmanager:<id>[#<field>]``. Credentials come from where every AWS program finds them."""

import logging
import threading
from datetime import datetime
from typing import Any

from lockgate.model.reference import Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretUnavailable
from lockgate.store.secret_backends.extras import Load
from lockgate.store.secret_backends.fields import pick_from, put_into
from lockgate.store.secret_backends.local import present

SECONDS = 5
_GONE = frozenset({"ParameterNotFound", "ResourceNotFoundException", "InvalidRequestException"})
"""Also a secret that is scheduled for deletion."""
# They log whole answers when told to be talkative.
_TALKATIVE = ("boto3", "botocore", "urllib3")


class AwsClients:
    """Made at the first use, one a service; they may be used by any thread."""

    def __init__(self, load: Load, region: str = "", endpoint: str = "") -> None:
        self._load = load
        self._region = region
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}

    def ask(self, reference: Reference, service: str, verb: str, **given: Any) -> Any:
        """Raises ``SecretUnavailable`` and ``ReferenceBroken``."""
        client = self._client(reference, service)
        errors = self._load("botocore.exceptions")
        try:
            return getattr(client, verb)(**given)
        except errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
        except (errors.BotoCoreError, ValueError) as error:
            code = type(error).__name__
        # Not chained: what failed may hold what was sent.
        if code in _GONE:
            raise ReferenceBroken(f"{reference.bare} is not there; put it there")
        raise SecretUnavailable(f"{reference.bare}: AWS does not give it ({code})")

    def _client(self, reference: Reference, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                for name in _TALKATIVE:
                    logging.getLogger(name).setLevel(logging.WARNING)
                self._made[service] = self._make(reference, service)
            return self._made[service]

    def _make(self, reference: Reference, service: str) -> Any:
        session, config = self._load("boto3.session"), self._load("botocore.config")
        errors = self._load("botocore.exceptions")
        bounds = config.Config(
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
            retries={"total_max_attempts": 2},
            # Only ``secrets.aws.endpoint``, which is checked: never AWS_ENDPOINT_URL.
            ignore_configured_endpoint_urls=True,
        )
        try:
            return session.Session().client(
                service, region_name=self._region or None, endpoint_url=self._endpoint or None,
                config=bounds,
            )  # fmt: skip
        except (errors.BotoCoreError, ValueError) as error:
            why = type(error).__name__
        raise SecretUnavailable(f"{reference.bare}: AWS cannot be asked ({why}); see secrets.aws")


class SsmSecrets:
    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def read(self, reference: Reference) -> Secret:
        found = self._ask(reference, "get_parameter", Name=reference.name, WithDecryption=True)
        parameter = found["Parameter"]
        value = present(reference, str(parameter["Value"]))
        return Secret(value, str(parameter["Version"]), _ms(parameter.get("LastModifiedDate")))

    def write(self, reference: Reference, value: str) -> None:
        wanted = {"Key": "Name", "Option": "Equals", "Values": [reference.name]}
        told = self._ask(reference, "describe_parameters", ParameterFilters=[wanted])
        if not told["Parameters"]:
            raise ReferenceBroken(f"{reference.bare} is not there; put it there")
        kept = told["Parameters"][0]
        # Without the key's name it would be encrypted with another key than before.
        key = {"KeyId": kept["KeyId"]} if kept.get("KeyId") else {}
        self._ask(reference, "put_parameter", Name=reference.name, Value=value,
                  Type=kept["Type"], Overwrite=True, **key)  # fmt: skip

    def _ask(self, reference: Reference, verb: str, **given: Any) -> Any:
        return self._clients.ask(reference, "ssm", verb, **given)


class SecretsManagerSecrets:
    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def read(self, reference: Reference) -> Secret:
        found, text = self._get(reference)
        value = pick_from(reference, text)
        return Secret(value, str(found["VersionId"]), _ms(found.get("CreatedDate")))

    def write(self, reference: Reference, value: str) -> None:
        _, text = self._get(reference)
        whole = put_into(reference, text, value)
        self._clients.ask(reference, "secretsmanager", "put_secret_value",
                          SecretId=reference.name, SecretString=whole)  # fmt: skip

    def _get(self, reference: Reference) -> tuple[Any, str]:
        found = self._clients.ask(
            reference, "secretsmanager", "get_secret_value", SecretId=reference.name
        )
        text = found.get("SecretString")
        if not isinstance(text, str):
            raise ReferenceBroken(f"{reference.bare} is binary; keep text there")
        return found, text


def _ms(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1_000) if moment else 0
