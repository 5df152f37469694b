import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from lockgate.approval.signature import SecretUnfit, signed
from support.channels import OLD_SECRET, SECRET

BODY = b'{"type":"approval.asked"}'


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def test_the_reference_implementation_signs_the_same() -> None:
    at = datetime.fromtimestamp(1_674_087_231, UTC)
    headers = signed("msg_1", 1_674_087_231, BODY, [SECRET])
    assert headers["webhook-signature"] == Webhook(SECRET).sign("msg_1", at, BODY.decode())
    assert headers["webhook-timestamp"] == "1674087231"


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_while_a_secret_is_replaced_either_will_do(secret: str) -> None:
    Webhook(secret).verify(BODY, signed("msg_1", now(), BODY, [SECRET, OLD_SECRET]))


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp"])
def test_id_and_time_are_signed_too(changed: str) -> None:
    headers = signed("msg_1", now(), BODY, [SECRET])
    headers[changed] = {"webhook-id": "msg_2", "webhook-timestamp": str(now() - 60)}[changed]
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers)


def test_another_secret_is_not_believed() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(BODY, signed("msg_1", now(), BODY, [SECRET]))


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!!", "whsec_" + base64.b64encode(b"short").decode(), "plain text"],
)
def test_a_secret_that_is_none_signs_nothing(secret: str) -> None:
    with pytest.raises(SecretUnfit) as caught:
        signed("msg_1", 1, BODY, [secret])
    assert not secret.removeprefix("whsec_") or secret not in str(caught.value)
