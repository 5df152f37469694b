from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from lockgate.app.settings import Listen
from lockgate.app.settings_kinds import is_loopback
from lockgate.app.settings_limits import Limits

EVERYWHERE = "0.0.0.0"  # noqa: S104 (the address that must be refused)


def refusal(model: type[BaseModel], **given: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return dict(caught.value.errors()[0])


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True),
     ("a.localhost", True), (EVERYWHERE, False), ("::", False), ("gate.example", False),
     ("127.0.0.1.example", False), ("2130706433", False)],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "origin", ["gate.example", "https://a/b", "https://u@a", "null", "ftp://a"]
)
def test_origins_are_origins(origin: str) -> None:
    assert "origin" in refusal(Listen, origins=(origin,))["ctx"]["expected"]


@pytest.mark.parametrize("host", ["https://a", "a/b", "a b", "a@b"])
def test_host_names_are_host_names(host: str) -> None:
    assert "host name" in refusal(Listen, hosts=(host,))["ctx"]["expected"]


@pytest.mark.parametrize("host", ["a.example", "a.example:8443", "[::1]:80", "10.0.0.1"])
def test_host_names_may_have_a_port(host: str) -> None:
    assert Listen(hosts=(host,)).hosts == (host,)


@pytest.mark.parametrize(("given", "size"), [(4096, 4096), ("4 KiB", 4096), ("2MiB", 2**21)])
def test_sizes_may_have_a_unit(given: object, size: int) -> None:
    assert Limits.model_validate({"message_bytes": given}).message_bytes == size
